# Redmine in one process, so that it boots once: its schema, its default data, what the test needs, then its web server.
# Started by redmine.py in a copy of Redmine's folder; PORT is where it listens.
require File.join(Dir.pwd, 'config/application')
require 'rack/handler/webrick'

# What a process knows of the tables it found out when it loaded the models, so another one makes the tables.
maker = fork do
  Rails.application.initialize!
  ActiveRecord::Migration.verbose = false
  ActiveRecord::Base.connection.migration_context.migrate
  exit!(0)
end
Process.wait(maker)
exit!(1) unless $?.success?
Rails.application.initialize!

Rails.logger.level = :warn
Redmine::DefaultData::Loader.load('en')
Setting.rest_api_enabled = '1'
Setting.notified_events = [] # mails that nobody gets would take most of the time
User.find_by_login('admin').update_columns(must_change_passwd: false)
plan = ProjectCustomField.create!(name: 'Plan', field_format: 'string')
IssueCustomField.create!(name: 'Severity', possible_values: %w[S1 S2 S3 S4], default_value: 'S3',
                         trackers: Tracker.all, is_for_all: true, field_format: 'list')
projects = { 'support' => 'gold', 'cloud' => 'silver', 'urgent' => 'instant', 'back' => 'back' }.map do |name, value|
  project = Project.new(name: name.capitalize, identifier: name, trackers: Tracker.all,
                        enabled_module_names: ['issue_tracking'])
  project.custom_field_values = { plan.id => value }
  project.save!
  project
end
{ alice: 'Developer', bob: 'Manager', slated: 'Developer', carol: 'Reporter', dave: 'Reporter' }.each do |name, role|
  user = User.new(firstname: name.to_s.capitalize, lastname: 'Doe', mail: "#{name}@#{name}.example")
  user.login = name.to_s
  user.password = "#{name}-password"
  user.save!
  projects.each { |project| Member.create!(project: project, user: user, roles: [Role.find_by_name(role)]) }
end
# What slated writes there: its key, and a field for the state.
IssueCustomField.create!(name: 'SLA', trackers: Tracker.all, is_for_all: true, field_format: 'string')
Role.find_by_name('Developer').add_permission!(:set_notes_private, :view_private_notes)
File.write('api-key', User.find_by_login('slated').api_key)
# Customers may open their issues again.
Role.find_by_name('Reporter').add_permission!(:edit_own_issues)
Tracker.all.each do |tracker|
  WorkflowTransition.create!(tracker: tracker, role: Role.find_by_name('Reporter'),
                             old_status: IssueStatus.find_by_name('Resolved'), new_status: IssueStatus.find_by_name('In Progress'))
end
Rack::Handler::WEBrick.run(Rails.application, Host: '127.0.0.1', Port: ENV.fetch('PORT').to_i, AccessLog: [],
                           Logger: WEBrick::Log.new($stderr, WEBrick::Log::WARN))
