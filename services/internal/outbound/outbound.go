// Package outbound is how this system calls others by HTTP.
//
// It promises: a call goes to the address that was named and nowhere else: no
// redirect is followed and no proxy asked; a name that resolves to a private
// network, to this machine or to what a cloud tells its machines is not called
// unless that was allowed, and the address that was judged is the very one that is
// dialled; what is answered is read only up to a limit; and every call ends.
package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// ErrPrivate is why an address is not called.
var ErrPrivate = errors.New("an address of a private network")

// Config says what a client may do.
type Config struct {
	// Timeout of a call, its answer included.
	Timeout time.Duration
	// Allow says of an address that is not public whether it may be called; nil = never.
	Allow func(netip.Addr) bool
	// Roots are the authorities whose certificates are trusted; nil = the system's.
	Roots *x509.CertPool
	// Resolver of names; nil = the system's.
	Resolver *net.Resolver
}

// Client makes a client that keeps the promise of this package.
func Client(cfg Config) *http.Client {
	dialer := &net.Dialer{Timeout: cfg.Timeout, Resolver: cfg.Resolver, Control: func(_, address string, _ syscall.RawConn) error {
		// The name is resolved by now: this is the very address that is called.
		to, err := netip.ParseAddrPort(address)
		if err != nil || !Public(to.Addr()) && (cfg.Allow == nil || !cfg.Allow(to.Addr().Unmap())) {
			return ErrPrivate
		}
		return nil
	}}
	return &http.Client{
		Timeout:       cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12},
			DialContext:     dialer.DialContext, ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
		},
	}
}

// notPublic are ranges that are not of this machine's network by their kind and
// still are nobody's on the internet, or lead elsewhere than they say.
var notPublic = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"168.63.129.16/32", // answers for the machine's own cloud
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// globalV6 is where all public addresses of the sixth version are.
var globalV6 = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// Public says whether an address is somebody's on the internet.
func Public(at netip.Addr) bool {
	at = at.Unmap().WithZone("")
	return at.IsGlobalUnicast() && !at.IsPrivate() && (at.Is4() || globalV6.Contains(at)) &&
		!slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(at) })
}

// metadata are addresses that answer for the machine's own cloud. They lie in no
// network of anybody's.
var metadata = append(prefixes("168.63.129.16/32", "fd00:ec2::254/128", "100.100.100.200/32", "192.0.0.192/32"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"))

// Nearby says whether an address may be called where a private network was allowed:
// this machine, or one of its network, but never what tells a machine its own
// secrets.
func Nearby(at netip.Addr) bool {
	at = at.Unmap().WithZone("")
	return (at.IsLoopback() || at.IsPrivate()) && !slices.ContainsFunc(metadata, func(p netip.Prefix) bool { return p.Contains(at) })
}
