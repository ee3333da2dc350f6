package agreement_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

var monday = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func private(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(seed byte) ed25519.PublicKey { return private(seed).Public().(ed25519.PublicKey) }

// The parties' keys in the first document, and the ones that come later.
const marketing, sales, newSales = 1, 2, 3

func documentWith(salesKey byte, edits ...string) []byte {
	doc := string(agreement.Starter(agreement.StarterParams{MarketingKey: public(marketing), SalesKey: public(salesKey), Zone: "UTC"}))
	return []byte(strings.NewReplacer(edits...).Replace(doc))
}

// bench is the service on a log of its own.
type bench struct {
	t        *testing.T
	clock    *clock.Virtual
	log      *ledger.Ledger
	register *agreement.Register
	server   *agreement.Server
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, clock: clock.NewVirtual(monday), register: &agreement.Register{}}
	supply := agreement.NewSupply()
	log, err := ledger.Open(t.Context(), ledger.Config{Dir: t.TempDir() + "/data", Name: "test", FreeFloor: 1, Clock: b.clock}, b.register, supply)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	b.log, b.server = log, &agreement.Server{Log: log, Register: b.register, Supply: supply}
	return b
}

func (b *bench) propose(doc []byte) (*agreementv1.Agreement, error) {
	ctx := access.With(b.t.Context(), access.Actor{Handle: "mia"})
	return b.server.Propose(ctx, &agreementv1.ProposeRequest{Document: doc})
}

func (b *bench) mustPropose(doc []byte) *agreementv1.Agreement {
	b.t.Helper()
	a, err := b.propose(doc)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// signed is a request that is as it must be.
func signed(a *agreementv1.Agreement, party string, seed byte) *agreementv1.SignRequest {
	return &agreementv1.SignRequest{
		Version: a.GetVersion(), Party: party, Digest: a.GetDigest(), PublicKey: public(seed),
		Signature: ed25519.Sign(private(seed), agreement.SignedText(a.GetDigest())),
	}
}

func (b *bench) sign(req *agreementv1.SignRequest) (*agreementv1.Agreement, error) {
	ctx := access.With(b.t.Context(), access.Actor{Handle: "mia"})
	return b.server.Sign(ctx, req)
}

func (b *bench) mustSign(a *agreementv1.Agreement, party string, seed byte) *agreementv1.Agreement {
	b.t.Helper()
	out, err := b.sign(signed(a, party, seed))
	if err != nil {
		b.t.Fatalf("%s: %v", party, err)
	}
	return out
}

func (b *bench) inForce() int64 {
	b.t.Helper()
	a, err := b.server.GetAgreement(b.t.Context(), &agreementv1.GetAgreementRequest{})
	if fault.Is(err, fault.NotFound) {
		return 0
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return a.GetVersion()
}

func TestProblemsSayWhere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.propose(documentWith(sales, "leads_to: disqualify", "leads_to: limbo"))
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("answered with %v", err)
	}
	doc := strings.Split(string(documentWith(sales)), "\n")
	line := 0
	for i, text := range doc {
		if strings.Contains(text, "leads_to: disqualify") {
			line = i + 1
		}
	}
	for _, want := range []string{"the agreement has 1 problem", fmt.Sprintf("line %d, column 15", line), "limbo", "^"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	if list, err := b.server.ListAgreements(t.Context(), &agreementv1.ListAgreementsRequest{}); err != nil || len(list.GetAgreements()) != 0 {
		t.Errorf("a document with problems is on the table: %v, %v", list, err)
	}
}

func TestTheSameDocumentTwiceIsOneVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.mustPropose(documentWith(sales))
	digest := sha256.Sum256(documentWith(sales))
	if first.GetVersion() != 1 || !bytes.Equal(first.GetDigest(), digest[:]) || first.GetProposedBy() != "mia" || !first.GetProposedAt().AsTime().Equal(monday) || !bytes.Equal(first.GetDocument(), documentWith(sales)) || first.GetInForce() {
		t.Errorf("proposed is %v", first)
	}
	if again := b.mustPropose(documentWith(sales)); !proto.Equal(first, again) {
		t.Errorf("proposed again it is %v", again)
	}
	if other := b.mustPropose(documentWith(sales, "points_needed: 3", "points_needed: 4")); other.GetVersion() != 2 {
		t.Errorf("another document is version %d", other.GetVersion())
	}
	// Back to an older text is a proposal of its own.
	if back := b.mustPropose(documentWith(sales)); back.GetVersion() != 3 {
		t.Errorf("the first document after the second is version %d", back.GetVersion())
	}
}

func TestSignaturesThatAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.mustPropose(documentWith(sales))
	change := func(by func(*agreementv1.SignRequest)) *agreementv1.SignRequest {
		req := signed(a, "marketing", marketing)
		by(req)
		return req
	}
	other := sha256.Sum256([]byte("another document"))
	for name, test := range map[string]struct {
		req  *agreementv1.SignRequest
		want fault.Kind
		text string
	}{
		"another's key":         {signed(a, "marketing", sales), fault.Denied, "this is not the key that the agreement names for marketing"},
		"nobody's key":          {signed(a, "sales", 9), fault.Denied, "this is not the key that the agreement names for sales"},
		"the key alone":         {change(func(r *agreementv1.SignRequest) { r.Signature = signed(a, "marketing", sales).GetSignature() }), fault.Denied, "the signature of marketing does not fit the document"},
		"the bare digest":       {change(func(r *agreementv1.SignRequest) { r.Signature = ed25519.Sign(private(marketing), a.GetDigest()) }), fault.Denied, "the signature of marketing does not fit the document"},
		"another document":      {change(func(r *agreementv1.SignRequest) { r.Digest = other[:] }), fault.Conflict, "the document that was signed is not version 1"},
		"a version that is not": {change(func(r *agreementv1.SignRequest) { r.Version = 2 }), fault.NotFound, "there is no version 2 of the agreement"},
		"another document's words": {change(func(r *agreementv1.SignRequest) {
			r.Signature = ed25519.Sign(private(marketing), agreement.SignedText(other[:]))
		}), fault.Denied, "the signature of marketing does not fit the document"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.sign(test.req)
			if !fault.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("answered with %v", err)
			}
		})
	}
	if got := b.register.Version(1).Signatures; len(got) != 0 {
		t.Errorf("signed all the same: %v", got)
	}
}

func TestTheSecondSignaturePutsItInForce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.mustPropose(documentWith(sales))
	half := b.mustSign(a, "sales", sales)
	if len(half.GetSignatures()) != 1 || half.GetInForceFrom() != nil || b.inForce() != 0 {
		t.Fatalf("one signature made of it %v", half)
	}
	// The same party again is the same signature.
	if again := b.mustSign(a, "sales", sales); !proto.Equal(half, again) {
		t.Errorf("signed twice by sales it is %v", again)
	}
	b.clock.Set(monday.Add(time.Hour))
	whole := b.mustSign(a, "marketing", marketing)
	if len(whole.GetSignatures()) != 2 || !whole.GetInForceFrom().AsTime().Equal(monday.Add(time.Hour)) || !whole.GetInForce() || b.inForce() != 1 {
		t.Errorf("both signatures made of it %v", whole)
	}
	if s := whole.GetSignatures()[1]; s.GetParty() != "marketing" || s.GetActor() != "mia" || !bytes.Equal(s.GetPublicKey(), public(marketing)) || !s.GetSignedAt().AsTime().Equal(monday.Add(time.Hour)) {
		t.Errorf("the second signature is %v", s)
	}
}

func TestTheStatedTimeIsKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	from := func(at time.Time) []byte {
		return documentWith(sales, "# in_force_from: 2027-01-01T00:00:00Z", "in_force_from: "+at.Format(time.RFC3339))
	}
	both := func(doc []byte) *agreementv1.Agreement {
		a := b.mustPropose(doc)
		b.mustSign(a, "sales", sales)
		return b.mustSign(a, "marketing", marketing)
	}
	later := monday.AddDate(0, 0, 3)
	if a := both(from(later)); !a.GetInForceFrom().AsTime().Equal(later) || a.GetInForce() || b.inForce() != 0 {
		t.Errorf("before its time it is %v", a)
	}
	if next := b.register.NextChange(monday); !next.Equal(later) {
		t.Errorf("the next change is at %s", next)
	}
	b.clock.Set(later.Add(-time.Nanosecond))
	if b.inForce() != 0 {
		t.Error("in force before its time")
	}
	b.clock.Set(later)
	if b.inForce() != 1 {
		t.Error("not in force at its time")
	}
	// A time that has passed does not reach back: nothing was decided by it then.
	if a := both(from(monday)); !a.GetInForceFrom().AsTime().Equal(later) || b.inForce() != 2 {
		t.Errorf("with a time that has passed it is %v", a)
	}
}

// A version that names another key of a party needs the old one's signature:
// else whoever proposes could sign for the other.
func TestANewKeyNeedsTheOldOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.mustPropose(documentWith(sales))
	b.mustSign(first, "marketing", marketing)
	b.mustSign(first, "sales", sales)
	second := b.mustPropose(documentWith(newSales))
	if _, err := b.sign(signed(second, "sales", newSales)); !fault.Is(err, fault.Denied) {
		t.Errorf("the new key alone was answered with %v", err)
	}
	b.mustSign(second, "sales", sales)
	b.mustSign(second, "marketing", marketing)
	if b.inForce() != 2 {
		t.Fatalf("in force is version %d", b.inForce())
	}
	// From now on the new key signs, and the old one no more.
	third := b.mustPropose(documentWith(newSales, "points_needed: 3", "points_needed: 4"))
	if _, err := b.sign(signed(third, "sales", sales)); !fault.Is(err, fault.Denied) {
		t.Errorf("the old key was answered with %v", err)
	}
	b.mustSign(third, "sales", newSales)
	b.mustSign(third, "marketing", marketing)
	if b.inForce() != 3 {
		t.Errorf("in force is version %d", b.inForce())
	}
}

func TestShowAndList(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range 5 {
		b.mustPropose(documentWith(sales, "points_needed: 3", fmt.Sprintf("points_needed: %d", n+1)))
	}
	if _, err := b.server.GetAgreement(t.Context(), &agreementv1.GetAgreementRequest{Version: 6}); !fault.Is(err, fault.NotFound) {
		t.Errorf("version 6 of 5 was answered with %v", err)
	}
	if a, err := b.server.GetAgreement(t.Context(), &agreementv1.GetAgreementRequest{Version: 2}); err != nil || a.GetVersion() != 2 || len(a.GetDocument()) == 0 {
		t.Errorf("version 2 is %v, %v", a.GetVersion(), err)
	} else if r := a.GetReasons(); len(r) != 6 || r[2].GetId() != "not-ready" || r[2].GetTitle() != "Interested, but not now" || r[2].GetLeadsTo() != leadv1.Consequence_CONSEQUENCE_NURTURE {
		t.Errorf("its reasons are %v", r)
	}
	if _, err := b.server.GetAgreement(t.Context(), &agreementv1.GetAgreementRequest{}); !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "the newest is version 5") {
		t.Errorf("with five drafts the one in force was answered with %v", err)
	}
	var seen []int64
	req := &agreementv1.ListAgreementsRequest{PageSize: 2}
	for pages := 1; ; pages++ {
		list, err := b.server.ListAgreements(t.Context(), req)
		if err != nil || pages > 3 {
			t.Fatalf("page %d: %v", pages, err)
		}
		for _, a := range list.GetAgreements() {
			seen = append(seen, a.GetVersion())
			if len(a.GetDocument()) != 0 || a.GetName() == "" {
				t.Errorf("listed is %v", a)
			}
		}
		if req.PageToken = list.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if fmt.Sprint(seen) != "[5 4 3 2 1]" {
		t.Errorf("listed are %v", seen)
	}
	req.PageToken = "x"
	if _, err := b.server.ListAgreements(t.Context(), req); !fault.Is(err, fault.Invalid) {
		t.Errorf("a foreign token was answered with %v", err)
	}
}

// Of all versions that both have signed, the one whose time came last decides.
func TestRegister(t *testing.T) {
	t.Parallel()
	r := &agreement.Register{}
	apply := func(body proto.Message) {
		r.Apply(&ledger.Event{Subject: agreement.Subject, Recorded: monday, Body: body})
	}
	days := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	inForce := func(number int64, from time.Time) {
		apply(&agreementv1.AgreementSigned{Version: number, Party: "marketing"})
		apply(&agreementv1.AgreementSigned{Version: number, Party: "sales", InForceFrom: timestamppb.New(from)})
	}
	apply(&agreementv1.AgreementSigned{Version: 1, Party: "sales", InForceFrom: timestamppb.New(monday)})
	if r.InForce(days(9)) != nil || !r.NextChange(days(-9)).IsZero() || r.Version(1) != nil {
		t.Error("a signature under nothing is in force")
	}
	for number := int64(1); number <= 4; number++ {
		doc := documentWith(sales)
		if number == 3 {
			doc = []byte("baton: 99\n")
		}
		apply(&agreementv1.AgreementProposed{Version: number, Document: doc})
	}
	inForce(1, days(1))
	inForce(2, days(5))
	// A newer Baton wrote the third: it is listed and cannot decide.
	inForce(3, days(3))
	inForce(4, days(2))
	for name, test := range map[string]struct {
		at            time.Time
		number        int64
		change        time.Time
		changeIsKnown bool
	}{
		"before all":               {days(0), 0, days(1), true},
		"at the first":             {days(1), 1, days(2), true},
		"a later one came earlier": {days(2), 4, days(3), true},
		"one that cannot be read":  {days(3), 4, days(5), true},
		"at the last":              {days(5), 2, time.Time{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got int64
			if v := r.InForce(test.at); v != nil {
				got = v.Number
			}
			if change := r.NextChange(test.at); got != test.number || !change.Equal(test.change) || change.IsZero() == test.changeIsKnown {
				t.Errorf("in force is %d and the next change at %s", got, change)
			}
		})
	}
	// Of two at the same instant the later proposal is the one that was meant.
	apply(&agreementv1.AgreementProposed{Version: 5, Document: documentWith(sales)})
	inForce(5, days(5))
	if v := r.InForce(days(5)); v.Number != 5 {
		t.Errorf("of two at one instant version %d is in force", v.Number)
	}
	if v := r.Version(1); !v.SignedBy("sales") || v.SignedBy("somebody") || r.Version(0) != nil || r.Version(6) != nil || len(r.Versions()) != 5 {
		t.Errorf("the first version is %+v", v)
	}
}
