package outbound

import (
	"net/netip"
	"testing"
)

func TestPublicAddresses(t *testing.T) {
	for _, text := range []string{"1.1.1.1", "157.240.1.35", "::ffff:8.8.8.8", "2a03:2880:f10c::1", "2606:4700::1111"} {
		if !Public(netip.MustParseAddr(text)) {
			t.Errorf("%s is public", text)
		}
	}
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.7", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:a00:1::1",
		"fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
	} {
		if Public(netip.MustParseAddr(text)) {
			t.Errorf("%s is not public", text)
		}
	}
}

// What a private network may hold and what no network does.
func TestNearby(t *testing.T) {
	for _, text := range []string{"127.0.0.1", "::1", "10.1.2.3", "172.16.9.9", "192.168.1.1", "fd12:3456::1", "::ffff:10.0.0.1"} {
		if !Nearby(netip.MustParseAddr(text)) {
			t.Errorf("%s may lie next door", text)
		}
	}
	for _, text := range []string{"169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fe80::1", "fe80::1%eth0", "0.0.0.0", "224.0.0.1", "8.8.8.8"} {
		if Nearby(netip.MustParseAddr(text)) {
			t.Errorf("%s lies in nobody's network", text)
		}
	}
}
