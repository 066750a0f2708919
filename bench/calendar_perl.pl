# Business::Hours, which Request Tracker uses. Arguments: ZONE INSTANTS HOLIDAYS COUNT ANSWERS.
use strict;
use warnings;
use Business::Hours;
use POSIX qw(tzset);
use Time::HiRes qw(clock);

my ($zone, $instants_file, $holidays_file, $count, $answers_file) = @ARGV;
$ENV{TZ} = $zone;
tzset();

sub lines {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!\n";
    chomp(my @lines = <$file>);
    return @lines;
}

my $hours = Business::Hours->new();
$hours->business_hours(
    (map { $_ => { Name => "day $_", Start => '9:00', End => '17:00' } } 1 .. 5),
    (map { $_ => { Name => "day $_", Start => undef,  End => undef } } 0, 6),
);
$hours->holidays(lines($holidays_file));
my @instants = (lines($instants_file))[0 .. $count - 1];
my @answers;
my $start = clock();
push @answers, $hours->add_seconds($_, 10 * 3600) for @instants;
printf "add\t%.3f\n", (clock() - $start) * 1e9 / $count;
open my $file, '>', $answers_file or die "$answers_file: $!\n";
print {$file} "$_\n" for @answers;
close $file or die "$answers_file: $!\n";
