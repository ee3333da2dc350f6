package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// disputed is a part of the agreement that names who settles disputes, two working days
// after they were opened.
const disputed = `
disputes:
  arbiter: arbi
  within: 16h
  calendar: office
  then: [boss]
  sample: 4
`

// withDisputes puts that in place of what the starter says of it.
func withDisputes(document []byte) string {
	before, rest, _ := strings.Cut(string(document), "\ndisputes:\n")
	_, after, _ := strings.Cut(rest, "\n\n")
	return before + "\n" + after + disputed
}

// startDisputed starts a house with both sides, an arbiter and an auditor.
func startDisputed(t *testing.T, cfg Config) *house {
	t.Helper()
	h := start(t, cfg)
	h.courtroom()
	return h
}

func (h *house) courtroom() {
	h.t.Helper()
	h.team("ana", "ben", "chloe", "dan")
	h.roles(map[string][]string{"mark": {access.Marketing}, "arbi": {access.Arbiter}, "audra": {access.Auditor}, "mia": {access.Manager}})
	h.agree([]byte(strings.ReplaceAll(withDisputes(h.document()), "capacity: 50", "capacity: 500")))
	h.settle()
}

func (h *house) roles(people map[string][]string) {
	h.t.Helper()
	for handle, roles := range people {
		added := must[*routingv1.AddMemberResponse](h.t)(h.routing().AddMember(h.as(""), &routingv1.AddMemberRequest{Member: handle, Roles: roles}))
		h.tokens[handle] = added.GetToken()
	}
}

func (h *house) feedback() feedbackv1.FeedbackServiceClient {
	return feedbackv1.NewFeedbackServiceClient(h.conn)
}

// says runs a command line as a member and answers what it said.
func (h *house) says(handle string, args ...string) string {
	h.t.Helper()
	token := h.admin
	if handle != "" {
		token = h.tokens[handle]
	}
	return ok(h.t, append(args, "--server", h.GRPCAddr, "--token", token)...)
}

// shownCase is a case as the command line shows it to machines.
type shownCase struct {
	DisputeID string `json:"dispute_id"`
	LeadID    string `json:"lead_id"`
	State     string
	Opened    struct {
		HandoffSequence string `json:"handoff_sequence"`
		Arbiter         string
	}
	Decided  struct{ By, Finding, Verdict string }
	LedTo    []string `json:"led_to"`
	Notes    []string
	Evidence struct {
		Stage       string
		Pool        string
		Member      string
		HandedAt    string `json:"handed_at"`
		Features    json.RawMessage
		Explanation json.RawMessage
		Touches     string
		Reason      string
		Digest      string
		Hints       []struct{ Verdict, Criterion, Text string }
	}
}

// wrongData opens a case on a lead as the operator and answers its number.
func (h *house) wrongData(id string) string {
	h.t.Helper()
	return must[*feedbackv1.Dispute](h.t)(h.feedback().OpenDispute(h.as(""), &feedbackv1.OpenDisputeRequest{
		LeadId: id, IdempotencyKey: "wrong", Claim: leadv1.DisputeClaim_DISPUTE_CLAIM_WRONG_DATA,
	})).GetDisputeId()
}

func (h *house) showCase(handle, id string) (out shownCase) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(h.says(handle, "dispute", "show", id, "--format", "json")), &out); err != nil {
		h.t.Fatal(err)
	}
	return out
}

// replayed folds what a replay prints of a lead up to an event, by nothing but its JSON:
// who was told what, in which stage, with which facts and by which reasons.
func replayed(t *testing.T, output, upTo string) (text string) {
	t.Helper()
	var stage, pool, member string
	features, explanation := json.RawMessage("null"), json.RawMessage("null")
	for _, line := range strings.Split(strings.TrimSpace(output), "\n") {
		var e struct {
			Sequence json.Number
			Type     string
			Body     struct {
				Stage, Pool, Member   string
				Conflict              bool
				Features, Explanation json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		switch strings.TrimPrefix(e.Type, "baton.lead.v1.") {
		case "LeadReceived":
			stage, features = "LEAD", e.Body.Features
		case "LeadRemapped":
			features = e.Body.Features
		case "SubmissionRevised":
			if !e.Body.Conflict {
				features = e.Body.Features
			}
		case "LeadQualified":
			stage, explanation = strings.TrimPrefix(e.Body.Stage, "STAGE_"), e.Body.Explanation
		case "LeadNurtured":
			explanation = e.Body.Explanation
		case "LeadOffered":
			pool, member = e.Body.Pool, e.Body.Member
		}
		if e.Sequence.String() == upTo {
			return fmt.Sprintf("stage: %s\npool: %s\nmember: %s\nfeatures: %s\nexplanation: %s\n", stage, pool, member, features, explanation)
		}
	}
	t.Fatalf("the replay has no event %s", upTo)
	return ""
}

// A lead is handed over, worked, called, decided anew, taken from one and given to another
// and corrected by its sender: its case shows what was handed over, as a replay up to
// there says, and both sides, the arbiter and the auditor see the same.
func TestADisputeIsAboutWhatWasHandedOver(t *testing.T) {
	h := startDisputed(t, Config{Sources: []string{signedSource(t)}})
	first := h.resubmit("80")
	h.settle()
	was := h.lead(first)
	h.says(was.GetOfferedTo(), "dispute", "open", first, "--criterion", "size", "--note", "two people only")
	id := first[:12] + "-1"
	before := h.showCase("mark", id)

	must[*routingv1.AcceptResponse](t)(h.routing().Accept(h.as(was.GetOfferedTo()), &routingv1.AcceptRequest{LeadId: first}))
	h.settle()
	months := int64(3)
	must[*qualificationv1.RecordCallResponse](t)(qualificationv1.NewQualificationServiceClient(h.conn).RecordCall(h.as(was.GetOfferedTo()), &qualificationv1.RecordCallRequest{LeadId: first, IdempotencyKey: "c", Reached: true, FitConfirmed: true, HorizonMonths: &months}))
	h.settle()
	h.resubmit("2")
	h.settle()
	h.says("mia", "lead", "reassign", first, "--reason", "overload", "--to", "dan")
	h.settle()
	h.forward(70 * time.Hour)
	now := h.lead(first)
	if now.GetStage() != leadv1.Stage_STAGE_SQL || now.GetFeatures().GetEmployees() != 2 || now.GetOffers() < 2 {
		t.Fatalf("the lead did not change enough for this test: %v", now)
	}

	replay := h.says("audra", "replay", "--lead", first, "--format", "json")
	want := replayed(t, replay, before.Opened.HandoffSequence)
	for _, who := range []string{was.GetOfferedTo(), "mark", "arbi", "audra", "mia"} {
		got := h.showCase(who, id)
		e := got.Evidence
		text := fmt.Sprintf("stage: %s\npool: %s\nmember: %s\nfeatures: %s\nexplanation: %s\n", strings.TrimPrefix(e.Stage, "STAGE_"), e.Pool, e.Member, compacted(t, e.Features), compacted(t, e.Explanation))
		same(t, who+" sees the lead as it was", text, want)
		sum := sha256.Sum256([]byte(want))
		digest := must[[]byte](t)(base64.StdEncoding.DecodeString(e.Digest))
		same(t, who+" sees the digest", hex.EncodeToString(digest), hex.EncodeToString(sum[:]))
		same(t, who+" sees it handed over", e.HandedAt, before.Evidence.HandedAt)
		note := "two people only"
		if who == "audra" {
			note = ""
		}
		same(t, who+" reads the note", strings.Join(got.Notes, ""), note)
	}
	if strings.Contains(replay, "two people only") {
		t.Error("the note is in the log")
	}
	// What is known now is said beside it.
	got := h.showCase("arbi", id)
	same(t, "touches since", got.Evidence.Touches, "1")
	if len(got.Evidence.Hints) == 0 || got.Evidence.Hints[0].Verdict != "DISPUTE_VERDICT_DATA_ERROR" {
		t.Errorf("hints %+v", got.Evidence.Hints)
	}
	whole(t, h)
}

// compacted is JSON without blanks.
func compacted(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// resubmit posts a form under its sender's signature and answers its lead.
func (h *house) resubmit(employees string) string {
	h.t.Helper()
	form := filled(1)
	form.Set("employees", employees)
	got := h.postSigned(form, "a")
	if got.status != http.StatusOK {
		h.t.Fatalf("the door answered %d %s", got.status, got.body)
	}
	return h.leadOf(got)
}

// escalated are the steps that were said in a log, as case, step and whom.
func (h *house) escalated() (out []string) {
	h.t.Helper()
	for _, e := range h.events() {
		b, is := e.Body.(*leadv1.DisputeEscalated)
		if !is {
			continue
		}
		out = append(out, fmt.Sprintf("%s %d %s %s", b.GetDisputeId(), b.GetStep(), b.GetTo(), b.GetDueAt().AsTime().Format("Mon 15:04")))
		if !e.Occurred.Equal(b.GetDueAt().AsTime()) || b.GetFiredAt().AsTime().Before(b.GetDueAt().AsTime()) {
			h.t.Errorf("a step that was due %v is dated %v and was said %v", b.GetDueAt().AsTime(), e.Occurred, b.GetFiredAt().AsTime())
		}
	}
	return out
}

// An open case is put before its arbiter once two working days have passed, once, and then
// before whoever comes next: over a stop, and with a clock that was an hour off.
func TestADisputeIsPutBeforeTheArbiter(t *testing.T) {
	h := startDisputed(t, Config{})
	id := h.submit("a", filled(1))
	h.settle()
	h.says(h.lead(id).GetOfferedTo(), "dispute", "open", id)
	number := id[:12] + "-1"
	decided := h.submit("b", filled(2))
	h.settle()
	h.says("mark", "dispute", "open", decided)
	h.says("arbi", "dispute", "decide", decided[:12]+"-1", "--verdict", "as-agreed")
	h.forward(48*time.Hour - time.Second)
	same(t, "a second before", h.escalated(), []string(nil))
	data, tokens, signs := h.cfg.Data, h.tokens, h.signs
	h.stop()
	h = start(t, Config{Data: data, clock: clock.NewVirtual(monday.Add(47 * time.Hour))})
	h.tokens, h.signs = tokens, signs
	h.settle()
	same(t, "after a stop, with a clock that is late", h.escalated(), []string(nil))
	// 16 working hours from Monday, ten o'clock in Berlin: Wednesday at ten.
	h.forward(2 * time.Hour)
	first := number + " 1 arbi Wed 09:00"
	same(t, "two working days on", h.escalated(), []string{first})
	h.stop()
	h = start(t, Config{Data: data, clock: clock.NewVirtual(monday.Add(90 * time.Hour))})
	h.tokens, h.signs = tokens, signs
	h.settle()
	h.forward(200 * time.Hour)
	same(t, "at last", h.escalated(), []string{first, number + " 2 boss Fri 09:00"})
	same(t, "the case", h.showCase("audra", number).State, "escalated")
	if said := h.says("mark", "lead", "history", id); !strings.Contains(said, "Nobody decided case "+number+" by 2026-03-04 09:00 UTC; arbi is told (step 1).") {
		t.Errorf("the history does not say so:\n%s", said)
	}
	whole(t, h)
}

// Two processes settle disputes on one log: each step is said once, and of two who decide
// at once one does.
func TestTwoProcessesSettleDisputes(t *testing.T) {
	keys, now := seededKeys(t), clock.NewVirtual(monday)
	h := apart(t, keys, now)
	h.GRPCAddr = h.parts[4].GRPCAddr
	url := h.App.log.Address()
	second := start(t, Config{Services: []string{"feedback"}, NATSURL: url, Keys: keys, clock: now, HTTP: "-", Console: "-"})
	h.parts = append(h.parts, second.App)
	h.courtroom()
	var numbers []string
	for i := range 6 {
		id := h.submit(fmt.Sprint("lead ", i), filled(i))
		h.settle()
		must[*feedbackv1.Dispute](t)(h.feedback().OpenDispute(h.as("mark"), &feedbackv1.OpenDisputeRequest{LeadId: id, IdempotencyKey: "k"}))
		numbers = append(numbers, id[:12]+"-1")
	}
	h.settle()
	other := feedbackv1.NewFeedbackServiceClient(second.conn)
	errs := make(chan error, 2)
	for i, service := range []feedbackv1.FeedbackServiceClient{h.feedback(), other} {
		go func() {
			_, err := service.DecideDispute(h.as("arbi"), &feedbackv1.DecideDisputeRequest{DisputeId: numbers[0], IdempotencyKey: fmt.Sprint("k", i), Verdict: leadv1.DisputeVerdict_DISPUTE_VERDICT_DATA_ERROR})
			errs <- err
		}()
	}
	a, b := <-errs, <-errs
	if (a == nil) == (b == nil) {
		t.Errorf("of two who decide at once: %v and %v", a, b)
	}
	h.forward(200 * time.Hour)
	got := map[string]int{}
	for _, line := range h.escalated() {
		got[line]++
	}
	want := map[string]int{}
	for _, n := range numbers[1:] {
		want[n+" 1 arbi Wed 09:00"], want[n+" 2 boss Fri 09:00"] = 1, 1
	}
	same(t, "what was said", got, want)
	whole(t, h)
}

// A drawn sample is gone through with a key or two a lead, and what was found is proposed:
// each case says to which version it led.
func TestAReviewLeadsToAProposal(t *testing.T) {
	h := startDisputed(t, Config{})
	var ids []string
	for i := range 9 {
		ids = append(ids, h.submit(fmt.Sprint("lead ", i), filled(i)))
	}
	h.settle()
	h.forward(time.Hour)
	var drawn struct {
		Disputes []shownCase
	}
	draw := []string{"dispute", "draw", "--from", "2026-03-02T00:00:00Z", "--seed", "3", "--format", "json"}
	if err := json.Unmarshal([]byte(h.says("arbi", draw...)), &drawn); err != nil {
		t.Fatal(err)
	}
	same(t, "as many as are agreed", len(drawn.Disputes), 4)
	same(t, "the same draw once more", h.says("mia", draw...), h.says("arbi", draw...))
	h.forward(30 * time.Hour)
	_, text := told(faultOf(h.feedback().DrawReview(h.as("mark"), &feedbackv1.DrawReviewRequest{From: timestamppb.New(monday)})))
	if !strings.Contains(text, "role") {
		t.Errorf("marketing draws for itself: %s", text)
	}

	// Enter, a suggestion by its number, a verdict that is about a criterion, and another.
	typed := "\n1\ncd\no\n"
	said := h.keyed("mia", typed, "dispute", "review")
	if !strings.Contains(said, "4 cases decided, 0 left.") {
		t.Fatalf("the review says:\n%s", said)
	}
	for _, line := range strings.Split(strings.TrimSuffix(typed, "\n"), "\n") {
		if len(line) > 2 {
			t.Errorf("a verdict took %d keys", len(line))
		}
	}
	if !strings.Contains(h.keyed("mia", "", "dispute", "review"), "Nothing waits for review") {
		t.Error("something waits for review still")
	}
	findings := map[string]int{}
	var changed string
	for i, d := range drawn.Disputes {
		got := h.showCase("audra", d.DisputeID)
		findings[got.Decided.Finding]++
		same(t, "who decided", []string{got.State, got.Decided.By}, []string{"decided", "mia"})
		if i == 2 {
			changed = d.DisputeID
			same(t, "the third", got.Decided.Verdict, "DISPUTE_VERDICT_CRITERION_SHOULD_CHANGE")
		}
	}
	same(t, "findings", findings, map[string]int{"sales": 2, "agreement": 1, "nobody": 1})

	service := agreementv1.NewAgreementServiceClient(h.conn)
	document := []byte(strings.Replace(withDisputes(h.document()), "points_needed: 3", "points_needed: 4", 1))
	open := h.openedBy("mark", ids)
	for name, disputes := range map[string][]string{"one that is not there": {"nobody-1"}, "one that is not decided": {changed, open}, "one twice": {changed, changed}} {
		if _, err := service.Propose(h.as("mark"), &agreementv1.ProposeRequest{Document: document, Disputes: disputes}); err == nil {
			t.Errorf("%s is answered by a proposal", name)
		}
	}
	proposed := must[*agreementv1.Agreement](t)(service.Propose(h.as("mark"), &agreementv1.ProposeRequest{Document: document, Disputes: []string{changed}}))
	h.settle()
	same(t, "what it led to", h.showCase("arbi", changed).LedTo, []string{fmt.Sprint(proposed.GetVersion())})
	if _, err := service.Propose(h.as("mark"), &agreementv1.ProposeRequest{Document: document, Disputes: []string{drawn.Disputes[0].DisputeID}}); !fault.Is(access.FaultOf(err), fault.State) {
		t.Errorf("the same document for another case: %v", err)
	}
	whole(t, h)
}

func faultOf[T any](_ T, err error) error { return err }

// openedBy opens a case on the first of some leads and answers its number.
func (h *house) openedBy(handle string, ids []string) string {
	h.t.Helper()
	for _, id := range ids {
		d, err := h.feedback().OpenDispute(h.as(handle), &feedbackv1.OpenDisputeRequest{LeadId: id, IdempotencyKey: "open"})
		if err == nil {
			return d.GetDisputeId()
		}
	}
	h.t.Fatal("none can be disputed")
	return ""
}

// keyed runs a command line as a member who types something.
func (h *house) keyed(handle, keys string, args ...string) string {
	h.t.Helper()
	var out bytes.Buffer
	root := newRoot("test")
	addCommands(root)
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetIn(strings.NewReader(keys))
	root.SetArgs(append(args, "--server", h.GRPCAddr, "--token", h.tokens[handle]))
	if err := root.ExecuteContext(h.t.Context()); err != nil {
		h.t.Fatalf("baton %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// A dispute is beside the lead: whatever is said of it wakes nobody, and the lead goes on
// as if nothing had been said.
func TestADisputeMovesNothing(t *testing.T) {
	tale := func(disputes bool) []string {
		h := startDisputed(t, Config{Keys: ""})
		id := h.submit("a", filled(1))
		h.settle()
		if disputes {
			h.says("mark", "dispute", "open", id)
			h.says(h.lead(id).GetOfferedTo(), "dispute", "answer", id[:12]+"-1", "--contest")
			h.settle()
		}
		h.forward(3 * time.Hour)
		if disputes {
			h.says("arbi", "dispute", "decide", id[:12]+"-1", "--verdict", "met-not-worked")
			h.says("mark", "dispute", "open", id)
		}
		h.forward(80 * time.Hour)
		whole(t, h)
		var out []string
		for _, e := range must[*leadv1.GetHistoryResponse](t)(leadv1.NewLeadServiceClient(h.conn).GetHistory(h.as(""), &leadv1.GetHistoryRequest{LeadId: id})).GetEntries() {
			if !lead.Telling(e.GetType()) {
				out = append(out, e.GetRecordedAt().AsTime().Format(time.RFC3339)+" "+e.GetType())
			}
		}
		return out
	}
	without := tale(false)
	if len(without) < 5 {
		t.Fatalf("too little happens for this test: %v", without)
	}
	same(t, "what happened to the lead", tale(true), without)
}
