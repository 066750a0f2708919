# What a test of Request Tracker needs in it: queues, people, groups, rights and a custom field. Mail is not sent.
use strict;
use warnings;
use RT;
RT::LoadConfig();
RT::Init();

my $su = RT->SystemUser;
sub ok { my ($ok, $said) = @_; die "$said\n" unless $ok; return $ok }

for my $name ("Support", "Cloud") {
	ok(RT::Queue->new($su)->Create(Name => $name, SLADisabled => 0));
}
my $staff = RT::Group->new($su);
ok($staff->CreateUserDefinedGroup(Name => "Staff"));
for my $who (["alice", 1], ["bob", 1], ["robot", 1], ["carol", 0], ["dave", 0]) {
	my ($name, $privileged) = @$who;
	my $user = RT::User->new($su);
	ok($user->Create(Name => $name, EmailAddress => "$name\@slated.test", Password => "$name-password", Privileged => $privileged,
		Organization => $privileged ? undef : "$name Ltd"));
	ok($staff->AddMember($user->PrincipalId)) if $privileged;
}
for my $right (qw(ShowTicket SeeQueue CreateTicket ReplyToTicket CommentOnTicket ModifyTicket OwnTicket TakeTicket StealTicket
	ReassignTicket DeleteTicket ShowTicketComments SeeCustomField ModifyCustomField)) {
	ok($staff->PrincipalObj->GrantRight(Right => $right, Object => $RT::System));
}
my $everyone = RT::Group->new($su);
$everyone->LoadSystemInternalGroup("Everyone");
ok($everyone->PrincipalObj->GrantRight(Right => $_, Object => $RT::System)) for qw(CreateTicket ReplyToTicket SeeQueue ShowTicket
	SeeCustomField ModifyCustomField);
my $field = RT::CustomField->new($su);
ok($field->Create(Name => "Severity", Type => "SelectSingle", LookupType => "RT::Queue-RT::Ticket", Queue => 0));
ok($field->AddValue(Name => $_)) for qw(S1 S2 S3);
# What slated writes there.
ok(RT::Queue->new($su)->Create(Name => "Back", SLADisabled => 1));
ok(RT::CustomField->new($su)->Create(Name => "SLA", Type => "FreeformSingle", LookupType => "RT::Queue-RT::Ticket", Queue => 0));
my $robot = RT::User->new($su);
ok($robot->Load("robot"));
my ($made, $said, $token) = RT::AuthToken->new($su)->Create(Owner => $robot->Id, Description => "slated");
ok($made, $said);
print "$token\n";
# Scrips that render mail take most of a request's time.
my $scrips = RT::Scrips->new($su);
$scrips->UnLimit;
while (my $scrip = $scrips->Next) {
	ok($scrip->SetDisabled(1)) if $scrip->ActionObj->Name =~ /Notify|Autoreply/i;
}
