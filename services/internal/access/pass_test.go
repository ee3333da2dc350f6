package access

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"
	"time"
)

// Goes red if a pass is good for another method, another member, longer than its minute,
// or for somebody who works here no more.
func TestPasses(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	here := map[string]bool{"ana": true}
	of := func(key string) *Passes {
		return &Passes{
			MAC: func(purpose string, parts ...[]byte) []byte {
				h := hmac.New(sha256.New, []byte(key+purpose))
				h.Write(bytes.Join(parts, []byte{0}))
				return h.Sum(nil)
			},
			Who: func(handle string) (Actor, bool) { return Actor{Handle: handle, Roles: []string{Sales}}, here[handle] },
			Now: func() time.Time { return now },
		}
	}
	p, other := of("ours"), of("others")
	const accept = "/baton.routing.v1.RoutingService/Accept"
	pass := p.Pass("ana", accept)
	if a, ok := (Directories{NewAdmin("x"), p}).Bearer(pass, accept); !ok || a.Handle != "ana" || a.Admin {
		t.Errorf("a pass is worth nothing: %v, %v", a, ok)
	}
	if _, ok := p.Lookup(HashToken(pass)); ok {
		t.Error("a pass is a token for everything")
	}
	for name, try := range map[string]struct{ token, method string }{
		"another method":  {pass, "/baton.routing.v1.RoutingService/Reject"},
		"another member":  {strings.Replace(pass, "YW5h", "YmVu", 1), accept},
		"others' key":     {other.Pass("ana", accept), accept},
		"nobody's handle": {p.Pass("ben", accept), accept},
		"a part of it":    {pass[:len(pass)-4], accept},
		"nothing":         {"", accept},
	} {
		if _, ok := p.Bearer(try.token, try.method); ok {
			t.Errorf("%s: it is good", name)
		}
	}
	now = now.Add(passFor)
	if _, ok := p.Bearer(pass, accept); ok {
		t.Error("a pass outlives its minute")
	}
	now = now.Add(-time.Second)
	here["ana"] = false
	if _, ok := p.Bearer(pass, accept); ok {
		t.Error("who left has a pass")
	}
}
