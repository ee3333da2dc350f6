package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

func (h *house) intake() intakev1.IntakeServiceClient { return intakev1.NewIntakeServiceClient(h.conn) }

// add makes a source known and answers its path below the door.
func (h *house) add(src *intakev1.SourceDeclared, token bool) (*intakev1.SourceDeclared, string) {
	h.t.Helper()
	got := must[*intakev1.AddSourceResponse](h.t)(h.intake().AddSource(h.as(""), &intakev1.AddSourceRequest{Source: src, Token: token}))
	return got.GetSource(), strings.TrimPrefix(got.GetPath(), "/hooks/")
}

func (h *house) source(name string) *intakev1.SourceDeclared {
	h.t.Helper()
	return must[*intakev1.GetSourceResponse](h.t)(h.intake().GetSource(h.as(""), &intakev1.GetSourceRequest{Source: name})).GetSource()
}

func (h *house) change(name string, src *intakev1.SourceDeclared, fields ...string) *intakev1.SourceDeclared {
	h.t.Helper()
	return must[*intakev1.ChangeSourceResponse](h.t)(h.intake().ChangeSource(h.as(""), &intakev1.ChangeSourceRequest{Name: name, Source: src, Fields: fields, Reason: "a test"})).GetSource()
}

func (h *house) state(name string, to intakev1.SourceState) {
	h.t.Helper()
	h.change(name, &intakev1.SourceDeclared{State: to}, "state")
}

// json posts a body and answers the status.
func (h *house) json(source, body string) int {
	h.t.Helper()
	return h.post(source, "application/json", []byte(body), nil).status
}

// tally is the ledger of intake as text: outcome by outcome, then the sums.
func (h *house) tally(source string) string {
	h.t.Helper()
	got := must[*intakev1.GetIntakeLedgerResponse](h.t)(h.intake().GetIntakeLedger(h.as(""), &intakev1.GetIntakeLedgerRequest{Source: source}))
	if err := unbalanced(got); err != nil {
		h.t.Errorf("%v: %v", err, got)
	}
	counts := map[string]int64{}
	for _, row := range got.GetRows() {
		counts[row.GetOutcome()] += row.GetCount()
	}
	var parts []string
	for _, o := range intake.Outcomes {
		if counts[o] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", o, counts[o]))
		}
	}
	return fmt.Sprintf("%s; %d acknowledged, %d worked, %d not, %d submissions", strings.Join(parts, ", "), got.GetAcknowledged(), got.GetWorked(), got.GetUnworked(), got.GetSubmissions())
}

func refusedAs(t *testing.T, what string, err error, kind fault.Kind, says string) {
	t.Helper()
	got, text := told(err)
	if got != kind || !strings.Contains(text, says) {
		t.Errorf("%s: %v, %q; want %v that says %q", what, got, text, kind, says)
	}
}

const (
	paused  = intakev1.SourceState_SOURCE_STATE_PAUSED
	removed = intakev1.SourceState_SOURCE_STATE_REMOVED
	resumed = intakev1.SourceState_SOURCE_STATE_UNSPECIFIED
)

func TestASourceIsData(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	h := start(t, Config{Data: data})
	ctx := h.as("")

	// The preset's verification stands in the log, with the secret's place.
	src, path := h.add(&intakev1.SourceDeclared{Name: "forms", Preset: "typeform", Verification: &intakev1.Verification{SecretRef: "env:FORMS_SECRET"}}, false)
	v := src.GetVerification()
	same(t, "what verifies", []any{v.GetAlgorithm(), v.GetHeader(), v.GetEncoding(), v.GetSecretRef(), src.GetVersion(), path}, []any{"hmac-sha256", "Typeform-Signature", "base64", "env:FORMS_SECRET", int64(1), "forms"})
	_, err := h.intake().AddSource(ctx, &intakev1.AddSourceRequest{Source: &intakev1.SourceDeclared{Name: "forms"}})
	refusedAs(t, "a name that is taken", err, fault.Conflict, "belongs to a source")
	_, err = h.intake().AddSource(ctx, &intakev1.AddSourceRequest{Source: &intakev1.SourceDeclared{Name: "x", Preset: "no-such-tool"}})
	refusedAs(t, "a preset that there is not", err, fault.NotFound, "baton source presets")
	_, err = h.intake().AddSource(ctx, &intakev1.AddSourceRequest{Source: &intakev1.SourceDeclared{Name: "Not A Name"}})
	refusedAs(t, "a name that is none", err, fault.Invalid, "name")
	_, err = h.intake().AddSource(ctx, &intakev1.AddSourceRequest{Source: &intakev1.SourceDeclared{Name: "x", Verification: &intakev1.Verification{Algorithm: "md5", Header: "X-Sign", SecretRef: "env:X"}}})
	refusedAs(t, "a signature that no delivery could have", err, fault.Invalid, "hmac-sha256")

	// Renamed: the old address works, finds the same source, and nobody takes it.
	_, landing := h.add(&intakev1.SourceDeclared{Name: "landing"}, false)
	h.change("landing", &intakev1.SourceDeclared{Name: "contact"}, "name")
	same(t, "the former address", h.json(landing, `{"email":"ada@maschinen.example"}`), http.StatusOK)
	same(t, "the new address", h.json("contact", `{"email":"bea@maschinen.example"}`), http.StatusOK)
	same(t, "by its former name", h.source("landing").GetName(), "contact")
	_, err = h.intake().AddSource(ctx, &intakev1.AddSourceRequest{Source: &intakev1.SourceDeclared{Name: "landing"}})
	refusedAs(t, "a name that another had", err, fault.Conflict, "did")
	_, err = h.intake().ChangeSource(ctx, &intakev1.ChangeSourceRequest{Name: "web", Source: &intakev1.SourceDeclared{Name: "landing"}, Fields: []string{"name"}})
	refusedAs(t, "renamed to what another had", err, fault.Conflict, "did")
	back := h.change("contact", &intakev1.SourceDeclared{Name: "landing"}, "name")
	same(t, "renamed back", []any{back.GetName(), back.GetFormerNames(), back.GetVersion()}, []any{"landing", []string{"contact"}, int64(3)})

	// Only what is named changes, on top of the version that the author saw.
	_, err = h.intake().ChangeSource(ctx, &intakev1.ChangeSourceRequest{Name: "landing", Source: &intakev1.SourceDeclared{Region: "DE"}, Fields: []string{"region"}, Version: 2})
	refusedAs(t, "another version", err, fault.Conflict, "at version 3, not at 2")
	_, err = h.intake().ChangeSource(ctx, &intakev1.ChangeSourceRequest{Name: "landing", Source: &intakev1.SourceDeclared{TokenHash: []byte("x")}, Fields: []string{"token_hash"}})
	refusedAs(t, "a member that nobody sets", err, fault.Invalid, "token_hash")
	changed := h.change("landing", &intakev1.SourceDeclared{Region: "DE", Preset: "typeform"}, "region")
	same(t, "what was not named", []any{changed.GetRegion(), changed.GetPreset(), changed.GetVersion(), changed.GetReason()}, []any{"DE", "", int64(4), "a test"})
	same(t, "the same once more", h.change("landing", &intakev1.SourceDeclared{Region: "DE"}, "region").GetVersion(), int64(4))

	// Tokens: shown once, kept as a hash; the one before is taken for a while.
	with, first := h.add(&intakev1.SourceDeclared{Name: "zap"}, true)
	same(t, "the first token", h.json(first, `{"email":"cy@maschinen.example"}`), http.StatusOK)
	same(t, "no token", h.json("zap", `{"email":"dan@maschinen.example"}`), http.StatusUnauthorized)
	if len(strings.TrimPrefix(first, "zap/")) < 26 || len(with.GetTokenHash()) != 32 {
		t.Errorf("the token in %q is short, or its hash is none", first)
	}
	rotated := must[*intakev1.RotateSourceResponse](t)(h.intake().RotateSource(ctx, &intakev1.RotateSourceRequest{Source: "zap"}))
	same(t, "the new token", h.json(strings.TrimPrefix(rotated.GetPath(), "/hooks/"), `{"email":"eve@maschinen.example"}`), http.StatusOK)
	now := h.source("zap")
	same(t, "the end of the one before", []any{len(now.GetFormerTokens()), now.GetFormerTokens()[0].GetTokenHash(), now.GetFormerTokens()[0].GetEndsAt().AsTime()}, []any{1, with.GetTokenHash(), monday.Add(7 * 24 * time.Hour)})
	must[*intakev1.RotateSourceResponse](t)(h.intake().RotateSource(ctx, &intakev1.RotateSourceRequest{Source: "zap", FormerEndsAt: timestamppb.New(monday.Add(-time.Hour))}))
	same(t, "tokens that a leak ended", len(h.source("zap").GetFormerTokens()), 0)

	// A restart undoes nothing of what somebody changed, and says so.
	h.change("web", &intakev1.SourceDeclared{Honeypots: []string{"fax"}}, "honeypots")
	h.settle()
	h.stop()
	h = start(t, Config{Data: data, clock: h.time})
	same(t, "what was changed", h.source("web").GetHoneypots(), []string{"fax"})
	if !strings.Contains(h.out.String(), "stands otherwise") {
		t.Error("nobody says that the configuration does not count")
	}
	whole(t, h)
}

// Whatever comes: each submission has exactly one outcome, and the sums hold.
func TestTheLedgerOfIntakeAddsUp(t *testing.T) {
	h := start(t, Config{})
	h.add(&intakev1.SourceDeclared{Name: "tool", Mapping: &intakev1.Mapping{Event: "kind", Events: map[string]string{"new": "create", "seen": "ignore"}}}, false)
	h.add(&intakev1.SourceDeclared{Name: "late"}, false)

	h.submit("a", filled(1))
	h.submit("a", filled(1)) // a repeat
	changed := filled(1)
	changed.Set("employees", "900")
	h.submit("a", changed) // a revision
	h.json("web", `{"email":"t@maschinen.example","name":"Tea"}`)
	h.json("web", `{"email":"t@maschinen.example","name":"Tea"}`) // a touch
	h.json("web", `{"email":"x@maschinen.example","test":true}`)
	h.json("web", `{"email":"y@maschinen.example","honeypot":"filled"}`)
	h.json("web", `{"favourite colour":"blue"}`) // needs mapping
	h.json("web", `[{"email":"m1@maschinen.example"},{"email":"m2@maschinen.example"},{"colour":"red"}]`)
	h.json("tool", `{"kind":"seen","email":"i@maschinen.example"}`)
	h.json("tool", `{"kind":"new","email":"j@maschinen.example"}`)
	h.settle()
	h.state("late", paused)
	h.json("late", `[{"email":"n1@maschinen.example"},{"email":"n2@maschinen.example"}]`)
	h.settle()

	same(t, "all", h.tally(""), "lead 5, needs-mapping 2, repeat 1, revision 1, touch 1, test 1, spam 1, ignored 1, held 1; 12 acknowledged, 12 worked, 0 not, 14 submissions")
	same(t, "one source", h.tally("tool"), "lead 1, ignored 1; 2 acknowledged, 2 worked, 0 not, 2 submissions")
	h.state("late", resumed)
	h.settle()
	same(t, "once it is resumed", h.tally("late"), "lead 2; 1 acknowledged, 1 worked, 0 not, 2 submissions")

	// Only what was received in the span, whenever it was worked.
	h.time.Set(monday.Add(48 * time.Hour))
	h.json("web", `{"email":"later@maschinen.example"}`)
	h.settle()
	day := must[*intakev1.GetIntakeLedgerResponse](t)(h.intake().GetIntakeLedger(h.as(""), &intakev1.GetIntakeLedgerRequest{From: timestamppb.New(monday.Add(24 * time.Hour))}))
	same(t, "the last day", []int64{day.GetAcknowledged(), day.GetWorked(), day.GetSubmissions(), sums(day)}, []int64{1, 1, 1, 1})

	// What cannot be read any more is refused, and counts.
	list := must[*intakev1.ListDeliveriesResponse](t)(h.intake().ListDeliveries(h.as(""), &intakev1.ListDeliveriesRequest{Outcome: "needs-mapping", Content: true}))
	same(t, "those that need mapping", len(list.GetDeliveries()), 2)
	if len(list.GetDeliveries()[1].GetItems()) != 1 || list.GetDeliveries()[1].GetItems()[0].GetLeaves()[0].GetValue() != "blue" {
		t.Errorf("what was found is not listed: %v", list.GetDeliveries()[1])
	}
	page := must[*intakev1.ListDeliveriesResponse](t)(h.intake().ListDeliveries(h.as(""), &intakev1.ListDeliveriesRequest{PageSize: 7}))
	rest := must[*intakev1.ListDeliveriesResponse](t)(h.intake().ListDeliveries(h.as(""), &intakev1.ListDeliveriesRequest{PageSize: 7, PageToken: page.GetNextPageToken()}))
	ids := map[string]bool{}
	for _, d := range append(page.GetDeliveries(), rest.GetDeliveries()...) {
		ids[d.GetDeliveryId()] = true
		if len(d.GetItems()) > 0 {
			t.Error("nobody asked for contents")
		}
	}
	same(t, "pages", []any{len(page.GetDeliveries()), len(rest.GetDeliveries()), len(ids), rest.GetNextPageToken()}, []any{7, 6, 13, ""})
	whole(t, h)
}

// Nothing that came while a source was paused is lost or doubled, whatever
// happens in between.
func TestPausedThenKilledThenResumed(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	h := start(t, Config{Data: data})
	h.add(&intakev1.SourceDeclared{Name: "late"}, false)
	h.json("late", `{"email":"before@maschinen.example"}`)
	h.settle()
	h.state("late", paused)
	var many []string
	for n := range 150 {
		many = append(many, fmt.Sprintf(`{"email":"n%d@maschinen.example"}`, n))
	}
	for _, body := range []string{`{"email":"one@maschinen.example"}`, "[" + strings.Join(many, ",") + "]", `{"email":"one@maschinen.example"}`} {
		same(t, "a paused address", h.json("late", body), http.StatusOK)
	}
	h.settle()
	same(t, "while it is paused", h.tally("late"), "lead 1, held 3; 4 acknowledged, 4 worked, 0 not, 4 submissions")
	same(t, "leads while it is paused", h.count(), 1)
	whole(t, h)
	h.stop()

	h = start(t, Config{Data: data, clock: h.time})
	h.settle()
	same(t, "leads after a restart", h.count(), 1)
	if t.Failed() {
		t.FailNow() // nothing is held, and nobody should wait for it
	}
	// Killed in the middle: the first submissions have their outcome already.
	half, cancel := context.WithCancel(t.Context())
	sub := must[uint64](t)(h.App.log.Last(t.Context(), ledger.StreamLedger))
	go func() {
		defer cancel()
		_ = h.App.log.Follower().Wait(half, sub+50)
	}()
	h.state("late", resumed)
	<-half.Done()
	h.stop()
	h = start(t, Config{Data: data, clock: h.time})
	h.settle()
	same(t, "once it is resumed", h.tally("late"), "lead 152, touch 1; 4 acknowledged, 4 worked, 0 not, 153 submissions")
	same(t, "leads", h.count(), 152)
	releases := 0
	for _, e := range h.events() {
		if b, ok := e.Body.(*intakev1.DeliveryReleased); ok && b.GetHow() == "resumed" {
			releases++
		}
	}
	same(t, "releases", releases, 3)
	same(t, "what comes then", h.json("late", `{"email":"after@maschinen.example"}`), http.StatusOK)
	h.settle()
	same(t, "leads then", h.count(), 153)
	whole(t, h)

	// Removed: it holds what still comes, and can be taken back.
	h.state("late", removed)
	same(t, "a removed address", h.json("late", `{"email":"gone@maschinen.example"}`), http.StatusOK)
	h.settle()
	same(t, "leads while it is removed", h.count(), 153)
	h.state("late", resumed)
	h.settle()
	same(t, "leads once it is back", h.count(), 154)
}

// events are all events of LEDGER.
func (h *house) events() (out []*ledger.Event) {
	h.t.Helper()
	last := must[uint64](h.t)(h.App.log.Last(h.t.Context(), ledger.StreamLedger))
	err := h.App.log.Read(h.t.Context(), ledger.StreamLedger, 1, last, func(r *ledger.Record) error {
		e, err := r.Decode()
		out = append(out, e)
		return err
	}, func(seq uint64, why string) error { return fmt.Errorf("record %d: %s", seq, why) })
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// A lead that could not be reached is read again with what was settled, and moves
// on by itself.
func TestAMappingThatIsSettledIsAppliedToWhatCame(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	h.add(&intakev1.SourceDeclared{Name: "odd"}, false)
	must[*intakev1.DeclareAccountsResponse](t)(h.intake().DeclareAccounts(h.as(""), &intakev1.DeclareAccountsRequest{Accounts: []*intakev1.AccountRow{{Domain: "maschinen.example"}}}))
	odd := func(n int) string {
		return fmt.Sprintf(`{"k1":"ada.%d at maschinen.example","k2":"ada.%d@maschinen.example or so","reach":{"x":"u%d@maschinen.example;home"},"company":"Maschinen AG","job_title":"Head of Marketing","country":"DE","employees":"80"}`, n, n, n)
	}
	same(t, "the door", h.json("odd", odd(1)), http.StatusOK)
	same(t, "the door", h.json("odd", odd(2)), http.StatusOK)
	h.settle()
	same(t, "before", h.tally("odd"), "needs-mapping 2; 2 acknowledged, 2 worked, 0 not, 2 submissions")
	id := must[*intakev1.ListDeliveriesResponse](t)(h.intake().ListDeliveries(h.as(""), &intakev1.ListDeliveriesRequest{Source: "odd"})).GetDeliveries()[1].GetLeadIds()[0]
	before := h.lead(id)
	same(t, "a lead that needs mapping", before.GetNeedsMapping(), true)

	h.change("odd", &intakev1.SourceDeclared{Mapping: &intakev1.Mapping{Fields: []*intakev1.FieldPath{{Field: "email", Paths: []string{"reach.x"}, Separator: ";"}}}}, "mapping")
	dry := must[*intakev1.RemapSourceResponse](t)(h.intake().RemapSource(h.as(""), &intakev1.RemapSourceRequest{Source: "odd", DryRun: true}))
	same(t, "a dry run", []int64{dry.GetRead(), dry.GetChanged(), dry.GetSettled(), dry.GetOpen(), dry.GetGone()}, []int64{2, 2, 2, 0, 0})
	same(t, "after a dry run", h.tally("odd"), "needs-mapping 2; 2 acknowledged, 2 worked, 0 not, 2 submissions")
	got := must[*intakev1.RemapSourceResponse](t)(h.intake().RemapSource(h.as(""), &intakev1.RemapSourceRequest{Source: "odd"}))
	same(t, "counts", []int64{got.GetRead(), got.GetChanged(), got.GetSettled(), got.GetOpen(), got.GetGone()}, []int64{2, 2, 2, 0, 0})
	h.settle()
	after := h.lead(id)
	if after.GetNeedsMapping() || !strings.HasPrefix(after.GetPersonal().GetEmail(), "u1@maschinen.example") {
		t.Errorf("the lead was not read again: %v", after)
	}
	same(t, "whose it is", after.GetPersonId(), before.GetPersonId())
	same(t, "how its account is known", []string{before.GetAccount().GetBy(), after.GetAccount().GetBy()}, []string{"name", "domain"})
	same(t, "after", h.tally("odd"), "lead 2; 2 acknowledged, 2 worked, 0 not, 2 submissions")
	again := must[*intakev1.RemapSourceResponse](t)(h.intake().RemapSource(h.as(""), &intakev1.RemapSourceRequest{Source: "odd", All: true}))
	same(t, "once more", []int64{again.GetRead(), again.GetChanged(), again.GetSettled(), again.GetOpen(), again.GetGone()}, []int64{2, 0, 0, 0, 0})

	// Another address is another person: both say so.
	h.json("web", `{"email":"known@maschinen.example"}`)
	h.settle()
	known := h.lead(must[*intakev1.ListDeliveriesResponse](t)(h.intake().ListDeliveries(h.as(""), &intakev1.ListDeliveriesRequest{Source: "web"})).GetDeliveries()[0].GetLeadIds()[0])
	h.json("odd", strings.Replace(odd(3), "u3@maschinen.example;home", "nobody", 1)[:1]+`"reach":{"y":"known@maschinen.example!"},"z":"3"}`)
	h.settle()
	third := must[*intakev1.ListDeliveriesResponse](t)(h.intake().ListDeliveries(h.as(""), &intakev1.ListDeliveriesRequest{Source: "odd"})).GetDeliveries()[0].GetLeadIds()[0]
	was := h.lead(third).GetPersonId()
	h.change("odd", &intakev1.SourceDeclared{Mapping: &intakev1.Mapping{Fields: []*intakev1.FieldPath{{Field: "email", Paths: []string{"reach.y"}, Separator: "!"}}}}, "mapping")
	must[*intakev1.RemapSourceResponse](t)(h.intake().RemapSource(h.as(""), &intakev1.RemapSourceRequest{Source: "odd"}))
	h.settle()
	same(t, "the person of the same address", h.lead(third).GetPersonId(), known.GetPersonId())
	same(t, "who it is no more", h.types("person."+was), []string{"LeadAttached", "LeadDetached"})

	// Who turns out to be like somebody else is suggested, as at the door.
	h.json("web", `{"name":"Jane Smith","company":"Acme","email":"jane.smith@acme.example"}`)
	h.json("odd", `{"reach":{"y":"jayne.smith@acme.example!","n":"Jayne Smith","c":"Acme"},"z":"4"}`)
	h.settle()
	same(t, "who may be one before", h.matches(), []string(nil))
	h.change("odd", &intakev1.SourceDeclared{Mapping: &intakev1.Mapping{Fields: []*intakev1.FieldPath{
		{Field: "email", Paths: []string{"reach.y"}, Separator: "!"}, {Field: "name", Paths: []string{"reach.n"}}, {Field: "company", Paths: []string{"reach.c"}},
	}}}, "mapping")
	must[*intakev1.RemapSourceResponse](t)(h.intake().RemapSource(h.as(""), &intakev1.RemapSourceRequest{Source: "odd", All: true}))
	h.settle()
	if got := h.matches(); len(got) != 1 || !strings.HasSuffix(got[0], " 94 name+company") {
		t.Errorf("who may be one: %v", got)
	}

	// After its day's key is gone, a body cannot be read any more, and that counts.
	must[int](t)(h.keys.DropDaysBefore(t.Context(), monday.Add(48*time.Hour)))
	gone := must[*intakev1.RemapSourceResponse](t)(h.intake().RemapSource(h.as(""), &intakev1.RemapSourceRequest{Source: "odd", All: true}))
	same(t, "gone", []int64{gone.GetRead(), gone.GetGone()}, []int64{0, 4})
	whole(t, h)
}

// What turns out to be spam or a test when it is read again is refused, as at the
// door, and counts as that alone; what was qualified stays what it is.
func TestWhatIsReadAgainIsRefusedAsAtTheDoor(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	h.add(&intakev1.SourceDeclared{Name: "odd"}, false)
	for _, body := range []string{`{"k":"1","trap":"http://pills.example"}`, `{"k":"2","mode":"drill"}`, `{"k":"3"}`} {
		same(t, "the door", h.json("odd", body), http.StatusOK)
	}
	same(t, "the door", h.json("odd", `{"email":"ada@maschinen.example","company":"Maschinen AG","job_title":"Head of Marketing","country":"DE","employees":"80","trap":"filled"}`), http.StatusOK)
	h.settle()
	same(t, "before", h.tally("odd"), "lead 1, needs-mapping 3; 4 acknowledged, 4 worked, 0 not, 4 submissions")

	h.change("odd", &intakev1.SourceDeclared{Honeypots: []string{"trap"}, Mapping: &intakev1.Mapping{Tests: []*intakev1.TestMark{{Path: "mode", Value: "drill"}}}}, "honeypots", "mapping")
	got := must[*intakev1.RemapSourceResponse](t)(h.intake().RemapSource(h.as(""), &intakev1.RemapSourceRequest{Source: "odd", All: true}))
	same(t, "counts", []int64{got.GetRead(), got.GetSettled(), got.GetOpen(), got.GetGone()}, []int64{4, 2, 1, 0})
	h.settle()
	same(t, "after", h.tally("odd"), "lead 1, needs-mapping 1, test 1, spam 1; 4 acknowledged, 4 worked, 0 not, 4 submissions")
	list := must[*intakev1.ListDeliveriesResponse](t)(h.intake().ListDeliveries(h.as(""), &intakev1.ListDeliveriesRequest{Source: "odd"})).GetDeliveries()
	var states []string
	for _, d := range list {
		same(t, "outcomes of one delivery", len(d.GetOutcomes()), 1)
		states = append(states, d.GetOutcomes()[0]+" "+h.lead(d.GetLeadIds()[0]).GetState().String())
	}
	same(t, "the leads, latest first", states[1:], []string{"needs-mapping STATE_NURTURING", "test STATE_REFUSED", "spam STATE_REFUSED"})
	if strings.Contains(states[0], "REFUSED") {
		t.Errorf("a lead that was qualified: %s", states[0])
	}
	again := must[*intakev1.RemapSourceResponse](t)(h.intake().RemapSource(h.as(""), &intakev1.RemapSourceRequest{Source: "odd", All: true}))
	same(t, "once more", []int64{again.GetRead(), again.GetChanged()}, []int64{2, 0})
	whole(t, h)
}

// reader is a tool that is asked for details.
type reader struct {
	mu    sync.Mutex
	asked int
	fails int
}

func (r *reader) Read(_ context.Context, src *intakev1.SourceDeclared, item intake.Item) ([]byte, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.fails > 0 {
		r.fails--
		return nil, "", errors.New("the tool answered 503")
	}
	id := ""
	for _, l := range item.Leaves {
		if l.Key == "leadgen_id" {
			id = l.Value
		}
	}
	if id == "9" {
		return nil, "", errors.New("the tool answered 404")
	}
	body, err := json.Marshal(map[string]string{"email": "lead" + id + "@maschinen.example", "name": "Ada " + id})
	return body, "application/json", err
}

func TestDetailsAreAskedForUntilTheyCome(t *testing.T) {
	tool := &reader{fails: 2}
	data := filepath.Join(t.TempDir(), "data")
	h := start(t, Config{Data: data, details: tool})
	h.add(&intakev1.SourceDeclared{Name: "ads", Details: &intakev1.DetailsRead{Url: "https://tool.example/{leadgen_id}"}, Mapping: &intakev1.Mapping{Id: []string{"leadgen_id"}}}, false)
	same(t, "the door", h.json("ads", `{"leadgen_id":"1"}`), http.StatusOK)
	h.settle()
	same(t, "after the first try", h.tally("ads"), "waiting-for-details 1; 1 acknowledged, 1 worked, 0 not, 1 submissions")
	list := must[*intakev1.ListDeliveriesResponse](t)(h.intake().ListDeliveries(h.as(""), &intakev1.ListDeliveriesRequest{Outcome: "waiting-for-details"}))
	if text := list.GetDeliveries()[0].GetText(); !strings.Contains(text, "503") {
		t.Errorf("the fault is not named: %q", text)
	}
	h.time.Set(monday.Add(time.Minute))
	h.settle()
	same(t, "tries", tool.asked, 2)
	h.stop()
	h = start(t, Config{Data: data, details: tool, clock: h.time})
	h.settle()
	same(t, "tries after a restart, before it is due", tool.asked, 2)
	h.time.Set(monday.Add(3 * time.Minute))
	h.settle()
	same(t, "once the details came", h.tally("ads"), "lead 1; 1 acknowledged, 1 worked, 0 not, 1 submissions")
	id := h.count()
	same(t, "leads", id, 1)
	lead := h.lead(must[*intakev1.ListDeliveriesResponse](t)(h.intake().ListDeliveries(h.as(""), &intakev1.ListDeliveriesRequest{Outcome: "lead"})).GetDeliveries()[0].GetLeadIds()[0])
	same(t, "the lead", []any{lead.GetPersonal().GetEmail(), lead.GetReceivedAt().AsTime()}, []any{"lead1@maschinen.example", monday})
	// The same lead of the tool once more: one lead, for ever.
	h.json("ads", `{"leadgen_id":"1"}`)
	h.settle()
	same(t, "sent again", h.tally("ads"), "lead 1, repeat 1; 2 acknowledged, 2 worked, 0 not, 2 submissions")

	// What never comes is given up, by name.
	h.json("ads", `{"leadgen_id":"9"}`)
	h.settle()
	for range 60 {
		h.time.Set(h.time.Now().Add(time.Hour))
		h.settle()
	}
	same(t, "given up", h.tally("ads"), "lead 1, repeat 1, refused 1; 3 acknowledged, 3 worked, 0 not, 3 submissions")
	refused := must[*intakev1.ListDeliveriesResponse](t)(h.intake().ListDeliveries(h.as(""), &intakev1.ListDeliveriesRequest{Outcome: "refused"}))
	if text := refused.GetDeliveries()[0].GetText(); !strings.Contains(text, "36 hours") || !strings.Contains(text, "404") {
		t.Errorf("why it was given up: %q", text)
	}
	whole(t, h)
}

func TestATestOfASourceKeepsNothing(t *testing.T) {
	h := start(t, Config{Sources: []string{signedSource(t)}})
	in := must[uint64](t)(h.App.log.Last(t.Context(), ledger.StreamIntake))
	before := must[uint64](t)(h.App.log.Last(t.Context(), ledger.StreamLedger))
	ask := func(source, body string) *intakev1.TestSourceResponse {
		return must[*intakev1.TestSourceResponse](t)(h.intake().TestSource(h.as(""), &intakev1.TestSourceRequest{Source: source, ContentType: "application/json", Body: []byte(body)}))
	}
	got := ask("web", `{"email":"ada@maschinen.example","colour":"blue"}`)
	same(t, "what was found", []any{got.GetSignature(), got.GetItems()[0].GetOutcome(), got.GetItems()[0].GetSubmission().GetPersonal().GetEmail(), len(got.GetItems()[0].GetLeaves())}, []any{"unsigned", "lead", "ada@maschinen.example", 2})
	same(t, "a signature that is missing", ask("shop", `{"email":"ada@maschinen.example"}`).GetSignature(), "invalid")
	if fault := ask("web", `{"email":`).GetFault(); fault == "" {
		t.Error("a body that cannot be read has no fault")
	}
	same(t, "kept", must[uint64](t)(h.App.log.Last(t.Context(), ledger.StreamIntake)), in)
	same(t, "said", must[uint64](t)(h.App.log.Last(t.Context(), ledger.StreamLedger)), before)
}

// Where the system knows how the internet reaches its door, an address is whole:
// it can be given to a tool as it stands, and works.
func TestASourceHasItsWholeAddress(t *testing.T) {
	h := start(t, Config{PublicURL: "https://in.acme.example/"})
	at := []string{"--server", h.GRPCAddr, "--token", h.admin}
	type_ := func(args ...string) string { return ok(t, slices.Concat(args, at)...) }
	added := type_("source", "add", "landing", "--with-token")
	const before = "POST https://in.acme.example/hooks/landing/"
	has(t, added, before, "shown this once")
	token, _, _ := strings.Cut(added[strings.Index(added, before)+len(before):], "\n")
	same(t, "the address without the public part", h.json("landing/"+token, `{"email":"ada@maschinen.example"}`), http.StatusOK)
	has(t, type_("source", "show", "landing"), before+"TOKEN")
	has(t, type_("source", "rotate", "landing", "--until", "now"), before)
	has(t, type_("source", "rename", "landing", "contact"), "POST https://in.acme.example/hooks/contact")
	has(t, type_("source", "map", "contact", "--set", "email=k2"), "POST https://in.acme.example/hooks/contact")
	has(t, type_("source", "add", "forms", "--format", "json"), `"https://in.acme.example/hooks/forms"`)
}

// Every command of sources, as somebody types it.
func TestSourceCommands(t *testing.T) {
	h := start(t, Config{})
	at := []string{"--server", h.GRPCAddr, "--token", h.admin}
	type_ := func(args ...string) string { return ok(t, slices.Concat(args, at)...) }
	has(t, type_("source", "list"), "web", "unsigned", "takes leads")
	has(t, type_("source", "presets"), "typeform", "Typeform")
	has(t, type_("source", "add", "forms", "--preset", "typeform", "--secret", "env:FORMS"), "POST /hooks/forms", "signed (hmac-sha256", "env:FORMS", "In the form, Connect, Webhooks")
	has(t, type_("source", "add", "landing", "--with-token", "--region", "de"), "POST /hooks/landing/", "shown this once", "unsigned", "DE")
	has(t, type_("source", "rotate", "landing", "--until", "now"), "POST /hooks/landing/", "None from before")
	has(t, type_("source", "pause", "landing", "--reason", "rebuilt"), "paused since 2026-03-02T09:00:00Z")
	has(t, type_("source", "resume", "landing"), "takes leads")
	has(t, type_("source", "rename", "landing", "contact"), "Former names", "landing")
	has(t, type_("source", "show", "landing"), "contact", "the token was shown once")
	has(t, type_("source", "remove", "contact"), "removed since")
	has(t, type_("source", "map", "web"), "Nothing that can be read has come from web yet.")
	has(t, type_("intake", "ledger"), "Nothing was acknowledged in this span.")
	has(t, type_("source", "test", "web", writeFile(t, "body.json", `{"email":"ada@maschinen.example"}`)), "unsigned", "would be: lead", "ada@maschinen.example")
	h.json("web", `{"k1":"zoe","k2":"zoe at maschinen"}`)
	h.settle()
	has(t, type_("source", "map", "web"), "k2", "zoe at maschinen", "--set FIELD=PATH")
	has(t, type_("source", "map", "web", "--set", "email=k2", "--ignore", "k1"), "Settled: email", "k2", "Settled: ignore", "--apply")
	has(t, type_("source", "map", "web", "--apply", "--dry-run"), "1 submission read again")
	has(t, type_("source", "map", "landing", "--apply"), "0 submissions read again", "baton source map landing --apply --all")
	has(t, type_("intake", "ledger"), "web", "needs-mapping", "1 request acknowledged = 1 with an outcome + 0 not worked yet.", "Their 1 submission have 1 outcome")
	has(t, type_("source", "list", "--format", "json"), `"state"`, `"SOURCE_STATE_REMOVED"`)
}
