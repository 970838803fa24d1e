#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
# forge.pl OBJECT.FIELD=VALUE... <AREA >AREA	of a label area
# forge.pl FIELD=VALUE... <BLOCK >BLOCK		of an info block of 4096 bytes
#
# Change fields, and correct the checksum. OBJECT is "index", for both index blocks, or
# "label", for the first label that is in use. A field of more than eight bytes is filled
# with the value.
use strict;
use warnings;
no warnings 'portable';

my %fields = (
	index => { nslot => [56, 4], free => [72, 184] },
	label => { name => [16, 64], lbasize => [96, 8], rawsize => [112, 8] },
	pfn => { dataoff => [56, 8], start_pad => [76, 4], end_trunc => [80, 4], align => [84, 4] },
	btt => { nfree => [72, 4], dataoff => [88, 8], mapoff => [96, 8], logoff => [104, 8] },
);

binmode STDIN;
binmode STDOUT;
my $data = do { local $/; <STDIN> };

# mend AT, SIZE, SUM: correct the checksum of the block at AT, whose own place is SUM
sub mend {
	my ($at, $size, $sum) = @_;
	my ($lo, $hi) = (0, 0);

	substr($data, $at + $sum, 8) = "\0" x 8;
	for (unpack("V*", substr($data, $at, $size))) {
		$lo = ($lo + $_) & 0xffffffff;
		$hi = ($hi + $lo) & 0xffffffff;
	}
	substr($data, $at + $sum, 8) = pack("VV", $lo, $hi);
}

sub change {
	my ($object, $at, $field, $value) = @_;
	my $f = $fields{$object}{$field} or die "$object has no field $field\n";
	my ($offset, $size) = @$f;

	$value = oct($value) if $value =~ /^0/;
	substr($data, $at + $offset, $size) =
		$size > 8 ? chr($value) x $size : substr(pack("Q<", $value), 0, $size);
}

my %block = ("NVDIMM_PFN_INFO" => "pfn", "NVDIMM_DAX_INFO" => "pfn", "BTT_ARENA_INFO\0" => "btt");
my $kind = $block{substr($data, 0, 15)};

if ($kind) {
	/^(\w+)=(\w+)$/ ? change($kind, 0, $1, $2) : die "$_ is not FIELD=VALUE\n" for @ARGV;
	mend(0, 4096, 4088);
} elsif (substr($data, 0, 15) eq "NAMESPACE_INDEX") {
	my $size = unpack("Q<", substr($data, 32, 8));
	my @seq = map { unpack("V", substr($data, $_ * $size + 20, 4)) & 3 } 0, 1;
	my $current = ($seq[0] % 3) + 1 == $seq[1] ? $size : 0;
	my $labelsize = 128 << ord(substr($data, 19, 1));
	my $label;

	for my $slot (0 .. unpack("V", substr($data, $current + 56, 4)) - 1) {
		next if vec($data, ($current + 72) * 8 + $slot, 1);
		$label = unpack("Q<", substr($data, 48, 8)) + $slot * $labelsize;
		last;
	}
	for (@ARGV) {
		/^(index|label)\.(\w+)=(\w+)$/ or die "$_ is not OBJECT.FIELD=VALUE\n";
		die "no label is in use\n" if $1 eq "label" && !defined $label;
		change($1, $_, $2, $3) for $1 eq "index" ? (0, $size) : $label;
	}
	mend($_, $size, 64) for 0, $size;
	mend($label, $labelsize, 248) if defined $label && $labelsize == 256;
} else {
	die "standard input is neither a label area nor an info block\n";
}
print $data;
