package cache

import (
	"slices"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for address, want := range map[string]struct {
		addrs                string
		user, password       string
		db                   int
		cluster, tls         bool
		sentinel, keysPrefix string
	}{
		"redis://localhost":                               {addrs: "localhost:6379", keysPrefix: "baton"},
		"redis://localhost:7000/3":                        {addrs: "localhost:7000", db: 3, keysPrefix: "baton"},
		"rediss://ida:p%40ss@cache.example:6380":          {addrs: "cache.example:6380", user: "ida", password: "p@ss", tls: true, keysPrefix: "baton"},
		"redis://a:1,b:2,c":                               {addrs: "a:1 b:2 c:6379", keysPrefix: "baton"},
		"redis://a:1/?cluster=true&prefix=staging":        {addrs: "a:1", cluster: true, keysPrefix: "staging"},
		"redis://:secret@s1:26379,s2/1?sentinel=mymaster": {addrs: "s1:26379 s2:6379", password: "secret", db: 1, sentinel: "mymaster", keysPrefix: "baton"},
		"redis://[::1]":                                   {addrs: "[::1]:6379", keysPrefix: "baton"},
	} {
		opts, prefix, err := parse(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if !slices.Equal(opts.Addrs, strings.Fields(want.addrs)) || opts.Username != want.user || opts.Password != want.password || opts.DB != want.db ||
			opts.IsClusterMode != want.cluster || (opts.TLSConfig != nil) != want.tls || opts.MasterName != want.sentinel || prefix != want.keysPrefix {
			t.Errorf("%s is read as %v %q %q %d %v %v %q, prefix %q", address, opts.Addrs, opts.Username, opts.Password, opts.DB, opts.IsClusterMode, opts.TLSConfig != nil, opts.MasterName, prefix)
		}
		if !opts.ContextTimeoutEnabled {
			t.Errorf("%s: a deadline would not hold on the socket", address)
		}
	}
	for _, address := range []string{
		"localhost:6379", "http://secret@localhost", "redis://", "redis://a,,b", "redis://secret@a/x", "redis://secret@a/?mode=fast",
		"redis://a/1?cluster=true", "redis://a,b/1", "redis://a/?prefix=", "redis://a/?prefix={x}", "redis://a/%zz",
	} {
		_, err := Open(address)
		if err == nil {
			t.Errorf("%s is taken", address)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error repeats the address: %v", err)
		}
	}
}
