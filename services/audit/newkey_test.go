package audit

import (
	"crypto/ed25519"
	"testing"

	"google.golang.org/protobuf/proto"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// A service that came after the log was opened is let in by the auditor's own record, and
// by no other; and nobody's key is exchanged.
func TestANewKeyNeedsTheAuditor(t *testing.T) {
	h := golden(t)
	fresh := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	record := func(by, of, subject string) *ledger.Record {
		body := &auditv1.ServiceKeyAdded{Key: &auditv1.ServiceKey{Service: of, PublicKey: fresh}}
		raw, err := proto.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r := &ledger.Record{Seq: 9, Subject: subject, Header: map[string][]string{}, Body: raw}
		for name, values := range h.records[ledger.StreamLedger][0].Header {
			r.Header[name] = values
		}
		set(r, "ce-source", "/baton/"+by)
		set(r, "ce-type", ledger.TypeOf(body))
		h.sign(t, r)
		return r
	}
	for name, tt := range map[string]struct {
		by, of, subject string
		in              bool
	}{
		"by the auditor":        {"audit", "delivery", ledger.SubjectSelf, true},
		"by somebody else":      {"routing", "delivery", ledger.SubjectSelf, false},
		"in place of another's": {"audit", "routing", ledger.SubjectSelf, false},
		"where nobody looks":    {"audit", "delivery", "org.ledger.other", false},
	} {
		v := &verifying{out: &Result{}, keys: map[string]ed25519.PublicKey{}}
		v.opened(h.records[ledger.StreamLedger][0])
		before := v.keys
		v.added(record(tt.by, tt.of, tt.subject))
		if in := v.keys[tt.of].Equal(fresh); in != tt.in {
			t.Errorf("%s: let in: %v", name, in)
		}
		if _, there := before["delivery"]; there {
			t.Errorf("%s: checks that are under way got another key", name)
		}
	}
}
