package agreement_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// both puts a document in force.
func (b *bench) both(doc []byte) *agreementv1.Agreement {
	b.t.Helper()
	a := b.mustPropose(doc)
	b.mustSign(a, "sales", sales)
	return b.mustSign(a, "marketing", marketing)
}

func (b *bench) get(version int64) *agreementv1.Agreement {
	b.t.Helper()
	a, err := b.server.GetAgreement(b.t.Context(), &agreementv1.GetAgreementRequest{Version: version})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// How far a version is: a draft until both have signed, whoever signed first,
// and nothing uses a draft.
func TestOneSignatureLeavesADraft(t *testing.T) {
	t.Parallel()
	for _, party := range []string{"marketing", "sales"} {
		b := newBench(t)
		first := b.both(documentWith(sales))
		b.clock.Set(monday.Add(time.Hour))
		second := b.mustPropose(documentWith(sales, "points_needed: 3", "points_needed: 1"))
		key := map[string]byte{"marketing": marketing, "sales": sales}[party]
		half := b.mustSign(second, party, key)
		if half.GetStanding() != agreementv1.Standing_STANDING_DRAFT || half.GetInForceFrom() != nil || b.inForce() != first.GetVersion() {
			t.Errorf("signed by %s alone it is %v", party, half.GetStanding())
		}
		b.clock.Set(monday.AddDate(1, 0, 0))
		if v := b.register.InForce(monday.AddDate(1, 0, 0)); v.Number != first.GetVersion() || b.get(2).GetStanding() != agreementv1.Standing_STANDING_DRAFT {
			t.Errorf("a year later version %d is in force", v.Number)
		}
		text, err := b.server.RenderAgreement(t.Context(), &agreementv1.RenderAgreementRequest{Version: 2})
		if err != nil || !strings.Contains(text.GetText(), "A draft that only "+party+" has signed.") {
			t.Errorf("the document does not say so: %v", err)
		}
	}
}

func TestHowFarAVersionIs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	later := monday.AddDate(0, 0, 3)
	b.both(documentWith(sales))
	b.both(documentWith(sales, "# in_force_from: 2027-01-01T00:00:00Z", "in_force_from: "+later.Format(time.RFC3339)))
	want := func(standings ...agreementv1.Standing) {
		t.Helper()
		for i, s := range standings {
			if a := b.get(int64(i + 1)); a.GetStanding() != s || a.GetInForce() != (s == agreementv1.Standing_STANDING_IN_FORCE) {
				t.Errorf("version %d is %v", i+1, a.GetStanding())
			}
		}
	}
	want(agreementv1.Standing_STANDING_IN_FORCE, agreementv1.Standing_STANDING_AGREED)
	if until := b.get(1).GetInForceUntil().AsTime(); !until.Equal(later) || b.get(2).GetInForceUntil() != nil {
		t.Errorf("the first is in force until %s", until)
	}
	b.clock.Set(later)
	want(agreementv1.Standing_STANDING_PAST, agreementv1.Standing_STANDING_IN_FORCE)
	// One that comes at the same instant takes its place.
	b.both(documentWith(sales))
	b.clock.Set(later.Add(time.Hour))
	want(agreementv1.Standing_STANDING_PAST, agreementv1.Standing_STANDING_PAST, agreementv1.Standing_STANDING_IN_FORCE)
	if a := b.get(2); !a.GetInForceUntil().AsTime().Equal(later) {
		t.Errorf("the second was in force until %s", a.GetInForceUntil().AsTime())
	}
}

func TestWhoHasReadAVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.server.Members = func() []string { return []string{"ana", "ben", "mia"} }
	a := b.mustPropose(documentWith(sales))
	read := func(who string, version int64) (*agreementv1.Agreement, error) {
		return b.server.RecordRead(access.With(t.Context(), access.Actor{Handle: who}), &agreementv1.RecordReadRequest{Version: version})
	}
	if !slices.Equal(a.GetUnread(), []string{"ana", "ben", "mia"}) {
		t.Errorf("not read by %v", a.GetUnread())
	}
	for range 2 {
		got, err := read("ben", 1)
		if err != nil || len(got.GetReceipts()) != 1 || got.GetReceipts()[0].GetMember() != "ben" || !got.GetReceipts()[0].GetAt().AsTime().Equal(monday) || !slices.Equal(got.GetUnread(), []string{"ana", "mia"}) {
			t.Errorf("after ben it is read by %v and not by %v: %v", got.GetReceipts(), got.GetUnread(), err)
		}
		b.clock.Set(monday.Add(time.Hour))
	}
	// Another version is read anew.
	if b.mustPropose(documentWith(sales, "points_needed: 3", "points_needed: 4")); len(b.get(2).GetUnread()) != 3 {
		t.Errorf("the next version is read already: %v", b.get(2).GetReceipts())
	}
	if _, err := read("ana", 3); !fault.Is(err, fault.NotFound) {
		t.Errorf("a version that is not there was answered with %v", err)
	}
}

func TestWhyRendersAndComparisonsAreAnswered(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.both(documentWith(sales))
	ctx := access.With(t.Context(), access.Actor{Handle: "mia"})
	second, err := b.server.Propose(ctx, &agreementv1.ProposeRequest{Document: documentWith(sales, "lead.employees >= 20", "lead.employees >= 50", "title: Marketing qualified lead", "title: Hot"), Why: "too many small ones"})
	if err != nil || second.GetWhy() != "too many small ones" || second.GetSequence() == 0 {
		t.Fatalf("proposed is %v, %v", second, err)
	}
	page, err := b.server.RenderAgreement(ctx, &agreementv1.RenderAgreementRequest{Version: 2})
	if err != nil || page.GetVersion() != 2 || !strings.Contains(page.GetHtml(), page.GetFragment()) || !strings.Contains(page.GetFragment(), "at least 50 employees") || !strings.Contains(page.GetText(), "Why: too many small ones") {
		t.Errorf("rendered is %.200s, %v", page.GetText(), err)
	}
	diff, err := b.server.CompareAgreements(ctx, &agreementv1.CompareAgreementsRequest{Version: 2})
	if err != nil || diff.GetOldVersion() != 1 || diff.GetNewVersion() != 2 {
		t.Fatal(diff, err)
	}
	var said []string
	for _, c := range diff.GetChanges() {
		said = append(said, c.GetText())
	}
	if got := strings.Join(said, "; "); !strings.Contains(got, "called “Hot (MQL)” instead of “Marketing qualified lead (MQL)”") || !strings.Contains(got, "at least 50 instead of 20 employees") {
		t.Errorf("the changes are %s", got)
	}
	// A word means what the version says.
	for version, title := range map[int64]string{1: "Marketing qualified lead", 2: "Hot", 0: "Marketing qualified lead"} {
		g, err := b.server.GetGlossary(ctx, &agreementv1.GetGlossaryRequest{Version: version})
		if err != nil || g.GetStages()[1].GetTitle() != title || g.GetStages()[1].GetAccountable() != "Head of sales" || len(g.GetTerms()) != 6 {
			t.Errorf("the words of version %d are %v, %v", version, g, err)
		}
	}
	for _, missing := range []error{
		errOf(b.server.RenderAgreement(ctx, &agreementv1.RenderAgreementRequest{Version: 9})),
		errOf(b.server.CompareAgreements(ctx, &agreementv1.CompareAgreementsRequest{Version: 9})),
		errOf(b.server.CompareAgreements(ctx, &agreementv1.CompareAgreementsRequest{With: 9})),
		errOf(b.server.GetGlossary(ctx, &agreementv1.GetGlossaryRequest{Version: 9})),
	} {
		if !fault.Is(missing, fault.NotFound) {
			t.Errorf("a version that is not there was answered with %v", missing)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

// overlaid is a document with an exception until an instant.
func overlaid(id string, until time.Time) []byte {
	return documentWith(sales, "# Exceptions for", fmt.Sprintf("overlays:\n  - id: %s\n    text: Hospitals are new to us.\n    when: lead.industry == \"health\"\n    until: %s\n    points_needed: 1\n# Exceptions for", id, until.Format(time.RFC3339)))
}

// desk starts what records the ends, as the program does.
func (b *bench) desk(log *ledger.Ledger, register *agreement.Register) *ledger.Desk {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	desk, err := log.Desk(ctx, &agreement.Endings{Register: register}, ledger.DeskConfig{})
	if err != nil {
		b.t.Fatal(err)
	}
	register.Nudge(desk.Nudge)
	b.t.Cleanup(func() { cancel(); <-desk.Stopped() })
	return desk
}

// ends are the recorded ends, with the instant to which each is dated.
func (b *bench) ends() []string {
	b.t.Helper()
	events, err := b.log.History(b.t.Context(), agreement.Subject)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		if body, ok := e.Body.(*agreementv1.OverlayEnded); ok {
			out = append(out, fmt.Sprintf("%d %s %s %s", body.GetVersion(), body.GetOverlay(), e.Occurred.Format("Jan 2"), body.GetUntil().AsTime().Format("Jan 2")))
		}
	}
	return out
}

func (b *bench) settle(desks ...*ledger.Desk) {
	b.t.Helper()
	var idle []func(context.Context) bool
	for _, d := range desks {
		idle = append(idle, d.Idle)
	}
	if err := b.log.Settle(b.t.Context(), idle...); err != nil {
		b.t.Fatal(err)
	}
}

// An exception ends by itself, with one event that is dated at its end, however
// many look after it.
func TestAnExceptionEndsByItself(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one, two := b.desk(b.log, b.register), b.desk(b.log, b.register)
	until := monday.AddDate(0, 0, 3)
	b.both(overlaid("new-market", until))
	b.settle(one, two)
	b.clock.Set(until.Add(-time.Nanosecond))
	b.settle(one, two)
	if got := b.ends(); len(got) != 0 {
		t.Errorf("before its end it has ended: %v", got)
	}
	b.clock.Set(until.AddDate(0, 0, 5))
	b.settle(one, two)
	if got := b.ends(); !slices.Equal(got, []string{"1 new-market Mar 5 Mar 5"}) {
		t.Errorf("the ends are %v", got)
	}
	if e := b.get(1).GetExceptions(); len(e) != 1 || e[0].GetEndedAt() == nil {
		t.Errorf("the exception is %v", e)
	}
	b.clock.Set(until.AddDate(0, 1, 0))
	b.settle(one, two)
	if got := b.ends(); len(got) != 1 {
		t.Errorf("it has ended again: %v", got)
	}
}

// An exception that a later version took out does not end by itself, and one of a
// version that is no longer in force neither.
func TestOnlyWhatIsInForceEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	desk := b.desk(b.log, b.register)
	b.mustPropose(overlaid("draft", monday.AddDate(0, 0, 1)))
	b.both(overlaid("taken-out", monday.AddDate(0, 0, 4)))
	b.clock.Set(monday.AddDate(0, 0, 2))
	b.both(overlaid("stays", monday.AddDate(0, 0, 5)))
	b.clock.Set(monday.AddDate(0, 0, 9))
	b.settle(desk)
	if got := b.ends(); !slices.Equal(got, []string{"3 stays Mar 7 Mar 7"}) {
		t.Errorf("the ends are %v", got)
	}
	// One that had ended before its version came into force never held.
	b.both(overlaid("too-late", monday.AddDate(0, 0, 1)))
	b.settle(desk)
	if got := b.ends(); len(got) != 1 {
		t.Errorf("the ends are %v", got)
	}
}

// The next lead after the end of an exception is judged as all others are, whether
// the end was recorded or not.
func TestAfterAnExceptionTheRulesAreAsBefore(t *testing.T) {
	t.Parallel()
	until := monday.AddDate(0, 0, 3)
	a, err := agreement.Compile(overlaid("new-market", until))
	if err != nil {
		t.Fatal(err)
	}
	for now, needed := range map[time.Time]int64{monday: 1, until.Add(-1): 1, until: 3, until.AddDate(0, 0, 1): 3} {
		fit := a.Profile(agreement.Facts{Features: &leadv1.Features{Industry: "health"}, Now: now})
		if fit.Needed != needed || (fit.Overlay == "new-market") != (needed == 1) {
			t.Errorf("at %s %d points are needed, by the exception %q", now, fit.Needed, fit.Overlay)
		}
		if other := a.Profile(agreement.Facts{Features: &leadv1.Features{Industry: "retail"}, Now: now}); other.Needed != 3 || other.Overlay != "" {
			t.Errorf("at %s another industry needs %d points", now, other.Needed)
		}
	}
}
