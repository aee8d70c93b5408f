#!/usr/bin/perl
# An SMSC made with Net::SMPP. It reads texts as a phone would, sends receipts, and says what happens as lines of JSON
# (tests/support/programs.py). Message ids are padded decimals; receipts tell them, and the state, in parameters too.
use strict;
use warnings;
use utf8;
use Encode ();
use IO::Select;
use JSON::PP;
use Net::SMPP;
use POSIX ();

use constant PASSWORD   => 'secret';
use constant PART_UNITS => 60;
use constant {
    BIND_RECEIVER        => 0x00000001,
    BIND_TRANSMITTER     => 0x00000002,
    SUBMIT_SM            => 0x00000004,
    UNBIND               => 0x00000006,
    BIND_TRANSCEIVER     => 0x00000009,
    ENQUIRE_LINK         => 0x00000015,
    DELIVER_SM_RESP      => 0x80000005,
    UNBIND_RESP          => 0x80000006,
    ENQUIRE_LINK_RESP    => 0x80000015,
    ESME_RINVPASWD       => 0x0E,
    ESM_CLASS_RECEIPT    => 0x04,
    ESM_CLASS_UDHI       => 0x40,
    STATE_DELIVERED      => 2,
    STATE_UNDELIVERABLE  => 5,
    STATE_REJECTED       => 8,
};

# By the last digit of the phone; every other is delivered.
my %states = (2 => [ 'UNDELIV', STATE_UNDELIVERABLE ], 3 => [ 'REJECTD', STATE_REJECTED ]);
my %binds = (BIND_RECEIVER, 'receiver', BIND_TRANSMITTER, 'transmitter', BIND_TRANSCEIVER, 'transceiver');
my $json  = JSON::PP->new->utf8->canonical;

my %sessions;       # socket -> { socket, system_id, bind, waiting => { sequence number -> what is acknowledged } }
my %texts;          # parts that wait for the others of their text
my $last_id        = 41;
my $last_reference = 0;

sub say_that {
    my ($event, %more) = @_;
    syswrite STDOUT, $json->encode({ event => $event, %more }) . "\n";
}

sub decoded {
    my ($octets, $data_coding) = @_;
    my $name = $data_coding == 8 ? 'UTF-16BE' : $data_coding == 3 ? 'iso-8859-1' : 'gsm0338';
    return Encode::decode($name, $octets);
}

sub take {
    my ($session, $pdu) = @_;
    my $octets = $pdu->{short_message};
    my ($reference, $total, $number, $joined_by) = (0, 1, 1, 0);
    if (defined $pdu->{message_payload}) {
        ($octets, $joined_by) = ($pdu->{message_payload}, 'payload');
    }
    elsif ($pdu->{esm_class} & ESM_CLASS_UDHI) {
        my ($length, $element) = unpack 'CC', $octets;
        ($reference, $total, $number) = unpack $element == 0 ? 'x3CCC' : 'x3nCC', $octets;
        $joined_by = $element == 0 ? 8 : 16;
        $octets    = substr $octets, $length + 1;
    }
    elsif (defined $pdu->{sar_total_segments}) {
        $reference = unpack 'n', $pdu->{sar_msg_ref_num};
        $total     = unpack 'C', $pdu->{sar_total_segments};
        $number    = unpack 'C', $pdu->{sar_segment_seqnum};
        $joined_by = 'sar';
    }
    my $key = "$pdu->{source_addr} $pdu->{destination_addr} $joined_by $reference";
    $texts{$key}{$number} = decoded($octets, $pdu->{data_coding});
    return if keys %{ $texts{$key} } < $total;
    my $parts = delete $texts{$key};
    say_that(
        'text',
        system_id   => $session->{system_id},
        from        => $pdu->{source_addr},
        to          => $pdu->{destination_addr},
        text        => join('', map { $parts->{$_} } sort { $a <=> $b } keys %$parts),
        parts       => $total,
        joined_by   => $joined_by,
        data_coding => $pdu->{data_coding},
    );
}

sub receiver_of {
    my ($system_id) = @_;
    my ($found) = grep { $_->{system_id} eq $system_id && $_->{bind} ne 'transmitter' } values %sessions;
    return $found;
}

sub deliver {
    my ($session, $what, $phone, @fields) = @_;
    my $sequence = $session->{socket}->deliver_sm(async => 1, @fields);
    $session->{waiting}{$sequence} = { what => $what, phone => $phone };
}

sub send_receipt {
    my ($pdu, $id, $receiver) = @_;
    my ($stat, $state) = @{ $states{ substr $pdu->{destination_addr}, -1 } // [ 'DELIVRD', STATE_DELIVERED ] };
    my $minute    = POSIX::strftime('%y%m%d%H%M', gmtime);
    my $delivered = $stat eq 'DELIVRD';
    deliver(
        $receiver, 'receipt', $pdu->{destination_addr},
        source_addr_ton      => $pdu->{dest_addr_ton},
        source_addr_npi      => $pdu->{dest_addr_npi},
        source_addr          => $pdu->{destination_addr},
        dest_addr_ton        => $pdu->{source_addr_ton},
        dest_addr_npi        => $pdu->{source_addr_npi},
        destination_addr     => $pdu->{source_addr},
        esm_class            => ESM_CLASS_RECEIPT,
        data_coding          => 0,
        short_message        => sprintf(
            'id:%s sub:001 dlvrd:%03d submit date:%s done date:%s stat:%s err:%s Text:',
            $id, $delivered, $minute, $minute, $stat, $delivered ? '000' : '00B'
        ),
        receipted_message_id => "$id\0",
        message_state        => pack('C', $state),
    );
}

my %answers = (
    SUBMIT_SM, sub {
        my ($session, $pdu) = @_;
        my $id = sprintf '%010d', ++$last_id;
        $session->{socket}->submit_sm_resp(seq => $pdu->{seq}, message_id => $id);
        take($session, $pdu);
        send_receipt($pdu, $id, receiver_of($session->{system_id})) if $pdu->{registered_delivery} & 1;
    },
    ENQUIRE_LINK, sub {
        my ($session, $pdu) = @_;
        $session->{socket}->enquire_link_resp(seq => $pdu->{seq});
        say_that('enquire_link', system_id => $session->{system_id});
    },
    UNBIND, sub {
        my ($session, $pdu) = @_;
        say_that('unbind', system_id => $session->{system_id}, bind => $session->{bind});
        $session->{socket}->unbind_resp(seq => $pdu->{seq});
        return 'close';
    },
    DELIVER_SM_RESP, sub {
        my ($session, $pdu) = @_;
        my $waiting = delete $session->{waiting}{ $pdu->{seq} } or die "an answer to nothing: $pdu->{seq}";
        say_that('acknowledged', %$waiting, status => $pdu->{status});
    },
    ENQUIRE_LINK_RESP, sub {
        my ($session, $pdu) = @_;
        say_that('enquire_link_resp', system_id => $session->{system_id}, status => $pdu->{status});
    },
    UNBIND_RESP, sub {
        my ($session, $pdu) = @_;
        say_that('unbind_resp', system_id => $session->{system_id}, status => $pdu->{status});
        return 'close';
    },
);
for my $command (keys %binds) {
    my $name = "bind_$binds{$command}_resp";
    $answers{$command} = sub {
        my ($session, $pdu) = @_;
        my $ok = $pdu->{password} eq PASSWORD;
        $session->{socket}->$name(system_id => 'perl', seq => $pdu->{seq}, status => $ok ? 0 : ESME_RINVPASWD);
        if (!$ok) {
            say_that('refused', system_id => $pdu->{system_id});
            return '';
        }
        @$session{qw(system_id bind)} = ($pdu->{system_id}, $binds{$command});
        say_that('bound', bind => $session->{bind}, system_id => $session->{system_id});
    };
}

my %commands = (
    # A text from a phone, in parts with a header where it is long.
    reply => sub {
        my ($command) = @_;
        my $text     = $command->{text};
        my $is_plain = $text =~ /^[\x20-\x5a\x61-\x7aéèà\n]*$/;
        my $octets   = Encode::encode($is_plain ? 'gsm0338' : 'UTF-16BE', $text);
        my $size     = $is_plain ? PART_UNITS : 2 * PART_UNITS;
        my @parts    = length $octets > $size ? unpack("(a$size)*", $octets) : ($octets);
        $last_reference = ($last_reference + 1) & 0xFF;
        for my $number (1 .. @parts) {
            my $header = @parts > 1 ? pack('C6', 5, 0, 3, $last_reference, scalar @parts, $number) : '';
            deliver(
                receiver_of($command->{system_id}), 'reply', $command->{from},
                source_addr_ton  => 1,
                source_addr_npi  => 1,
                source_addr      => $command->{from},
                destination_addr => $command->{to},
                esm_class        => $header ? ESM_CLASS_UDHI : 0,
                data_coding      => $is_plain ? 0 : 8,
                short_message    => $header . $parts[ $number - 1 ],
            );
        }
    },
    enquire => sub { receiver_of($_[0]{system_id})->{socket}->enquire_link(async => 1) },
    unbind  => sub { receiver_of($_[0]{system_id})->{socket}->unbind(async => 1) },
);

my $listener = Net::SMPP->new_listen('127.0.0.1', port => 0, smpp_version => 0x34, timeout => undef, listen => 16)
    or die "cannot listen: $!";
my $select = IO::Select->new($listener, \*STDIN);
say_that('listening', port => $listener->sockport);

my $unread = '';
while (my @ready = $select->can_read) {
    for my $handle (@ready) {
        if ($handle == \*STDIN) {
            sysread(STDIN, $unread, 65536, length $unread) or exit 0;
            while ($unread =~ s/^(.*)\n//) {
                my $command = $json->decode($1);
                $commands{ $command->{do} }->($command);
            }
        }
        elsif ($handle == $listener) {
            my $socket = $listener->accept or next;
            $select->add($socket);
            $sessions{$socket} = { socket => $socket, system_id => '', bind => 'transmitter', waiting => {} };
        }
        else {
            my $session = $sessions{$handle};
            my $pdu     = $handle->read_pdu;
            my $outcome = 'close';
            if (defined $pdu) {
                my $answer = $answers{ $pdu->{cmd} } or die sprintf 'an unexpected command %#x', $pdu->{cmd};
                $outcome = $answer->($session, $pdu) // '';
            }
            next if $outcome ne 'close';
            say_that('closed', system_id => $session->{system_id}, bind => $session->{bind});
            delete $sessions{$handle};
            $select->remove($handle);
            $handle->close;
        }
    }
}
