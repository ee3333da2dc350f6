package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/audit"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// monday is ten o'clock in Berlin on a working day.
var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// house is a running system and the people who use it.
type house struct {
	*App
	// conn reaches every service, parts are the processes; door is where forms
	// go to.
	conn  grpc.ClientConnInterface
	parts []*App
	door  string
	// ids are the leads that were submitted, by the name that their sender gave
	// them.
	ids map[string]string
	// wait settles in another way, where the processes are not ours to ask;
	// settled hears when nothing is left to do.
	wait, settled func()
	// still says that the clock is not ours to move.
	still  bool
	t      *testing.T
	time   *clock.Virtual
	out    *logged
	tokens map[string]string
	signs  map[string]ed25519.PrivateKey
}

// logged keeps what a process logs.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newHouse(t *testing.T) *house {
	return &house{t: t, out: &logged{}, ids: map[string]string{}, tokens: map[string]string{}, signs: map[string]ed25519.PrivateKey{}}
}

// start runs a system on a directory of the test's own and on a clock that
// stands still. What the configuration leaves open is filled in.
func start(t *testing.T, cfg Config) *house {
	t.Helper()
	h := newHouse(t)
	if cfg.Data == "" {
		cfg.Data = filepath.Join(t.TempDir(), "data")
	}
	for _, addr := range []*string{&cfg.HTTP, &cfg.Console, &cfg.GRPC} {
		if *addr == "" {
			*addr = "127.0.0.1:0"
		}
	}
	if cfg.Metrics == "" {
		cfg.Metrics = "-"
	}
	if cfg.clock == nil {
		cfg.clock = clock.NewVirtual(monday)
	}
	h.time, _ = cfg.clock.(*clock.Virtual)
	if cfg.FreeFloor == 0 {
		cfg.FreeFloor = 1
	}
	cfg.keyDays, cfg.Retention = 30, 30
	cfg.telemetry.LogOutput, cfg.telemetry.LogLevel, cfg.telemetry.LogFormat = h.out, slog.LevelDebug, "json"
	app, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.App, h.conn, h.parts, h.door = app, app.conn, []*App{app}, app.HTTPAddr
	t.Cleanup(func() { h.stop() })
	return h
}

func (h *house) stop() {
	h.t.Helper()
	if err := h.Stop(context.WithoutCancel(h.t.Context())); err != nil {
		h.t.Errorf("it did not stop well: %v", err)
	}
}

// as is the context of a call by a member; "" is the operator.
func (h *house) as(handle string) context.Context {
	if handle == "" {
		return access.WithToken(h.t.Context(), h.admin)
	}
	token, ok := h.tokens[handle]
	if !ok {
		h.t.Helper()
		h.t.Fatalf("%s has no token", handle)
	}
	return access.WithToken(h.t.Context(), token)
}

// settle waits until nothing is left to do in any process, and all of it can be
// read.
func (h *house) settle() {
	h.t.Helper()
	if h.settled != nil {
		defer h.settled()
	}
	if h.wait != nil {
		h.wait()
		return
	}
	for {
		before := must[uint64](h.t)(h.App.log.Last(h.t.Context(), ledger.StreamLedger))
		for _, part := range h.parts {
			if err := part.Settle(h.t.Context()); err != nil {
				h.t.Fatal(err)
			}
			if part.store == nil {
				continue
			}
			if err := part.Read(h.t.Context()); err != nil {
				h.t.Fatal(err)
			}
		}
		if before == must[uint64](h.t)(h.App.log.Last(h.t.Context(), ledger.StreamLedger)) {
			return
		}
	}
}

// must answers what a call answered, or ends the test.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(access.FaultOf(err))
		}
		return v
	}
}

// team makes people known who sell and qualify.
func (h *house) team(handles ...string) {
	h.t.Helper()
	for _, handle := range handles {
		added := must[*routingv1.AddMemberResponse](h.t)(routingv1.NewRoutingServiceClient(h.conn).AddMember(h.as(""), &routingv1.AddMemberRequest{Member: handle, Roles: []string{access.Sales, access.Qualifier}}))
		h.tokens[handle] = added.GetToken()
	}
}

// document is the starter agreement with this house's keys.
func (h *house) document() []byte {
	for _, party := range []string{"marketing", "sales"} {
		if h.signs[party] == nil {
			h.signs[party] = ed25519.NewKeyFromSeed(bytes.Repeat([]byte(party[:1]), ed25519.SeedSize))
		}
	}
	return agreement.Starter(agreement.StarterParams{MarketingKey: h.public("marketing"), SalesKey: h.public("sales"), Zone: "Europe/Berlin"})
}

func (h *house) public(party string) ed25519.PublicKey {
	return h.signs[party].Public().(ed25519.PublicKey)
}

// agree proposes a document and lets both parties sign it.
func (h *house) agree(document []byte) {
	h.t.Helper()
	service := agreementv1.NewAgreementServiceClient(h.conn)
	proposed := must[*agreementv1.Agreement](h.t)(service.Propose(h.as(""), &agreementv1.ProposeRequest{Document: document}))
	for _, party := range []string{"marketing", "sales"} {
		must[*agreementv1.Agreement](h.t)(service.Sign(h.as(""), &agreementv1.SignRequest{
			Version: proposed.GetVersion(), Party: party, Digest: proposed.GetDigest(), PublicKey: h.public(party),
			Signature: ed25519.Sign(h.signs[party], agreement.SignedText(proposed.GetDigest())),
		}))
	}
}

// reply is what the door said.
type reply struct {
	status int
	header http.Header
	body   string
}

// post sends one request to the door.
func (h *house) post(source, contentType string, body []byte, header http.Header) reply {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, "http://"+h.door+"/hooks/"+source, bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(said)}
}

// filled is a form that meets the starter agreement's profile.
func filled(n int) url.Values {
	return url.Values{
		"first_name": {"Ada"}, "last_name": {fmt.Sprintf("Example%d", n)}, "email": {fmt.Sprintf("ada.%d@maschinen.example", n)},
		"company": {"Maschinen AG"}, "job_title": {"Head of Marketing"}, "country": {"DE"}, "employees": {"80"},
	}
}

// submit posts a form under a key of its sender's and answers its lead.
func (h *house) submit(key string, form url.Values) (leadID string) {
	h.t.Helper()
	got := h.post("web", "application/x-www-form-urlencoded", []byte(form.Encode()), http.Header{"Idempotency-Key": {key}})
	if got.status != http.StatusOK || got.body != "{}" {
		h.t.Fatalf("the door answered %d %s to a good form", got.status, got.body)
	}
	h.ids[key] = h.leadOf(got)
	return h.ids[key]
}

func (h *house) leadOf(a reply) string {
	return intake.Ids{Keys: h.App.keys}.Lead(a.header.Get(intake.HeaderSubmission))
}

func (h *house) lead(id string) *leadv1.Lead {
	h.t.Helper()
	return must[*leadv1.Lead](h.t)(leadv1.NewLeadServiceClient(h.conn).GetLead(h.as(""), &leadv1.GetLeadRequest{LeadId: id}))
}

// sentences are what happened to a lead, without who was told of it.
func (h *house) sentences(id string) string {
	return h.sentencesOf(id, func(e *leadv1.HistoryEntry) bool { return !lead.Telling(e.GetType()) })
}

func (h *house) sentencesOf(id string, wanted func(*leadv1.HistoryEntry) bool) string {
	h.t.Helper()
	var b strings.Builder
	for _, e := range must[*leadv1.GetHistoryResponse](h.t)(leadv1.NewLeadServiceClient(h.conn).GetHistory(h.as(""), &leadv1.GetHistoryRequest{LeadId: id})).GetEntries() {
		if wanted(e) {
			b.WriteString(e.GetSentence() + "\n")
		}
	}
	return b.String()
}

// types are what happened on a subject, in order, without who was told of it.
func (h *house) types(subject string) (types []string) {
	h.t.Helper()
	for _, e := range must[[]*ledger.Event](h.t)(h.App.log.History(h.t.Context(), subject)) {
		if !lead.Telling(e.Type) {
			types = append(types, e.Type[strings.LastIndex(e.Type, ".")+1:])
		}
	}
	return types
}

// count says how many leads there are.
func (h *house) count() int {
	h.t.Helper()
	return len(must[*leadv1.ListLeadsResponse](h.t)(leadv1.NewLeadServiceClient(h.conn).ListLeads(h.as(""), &leadv1.ListLeadsRequest{PageSize: 500})).GetLeads())
}

func (h *house) owner(id string) string {
	h.t.Helper()
	return must[*routingv1.GetOwnerResponse](h.t)(routingv1.NewRoutingServiceClient(h.conn).GetOwner(h.as(""), &routingv1.GetOwnerRequest{LeadId: id})).GetText()
}

func (h *house) explained(id string) (summaries []string) {
	h.t.Helper()
	for _, d := range must[*qualificationv1.ExplainResponse](h.t)(qualificationv1.NewQualificationServiceClient(h.conn).Explain(h.as(""), &qualificationv1.ExplainRequest{LeadId: id})).GetDecisions() {
		summaries = append(summaries, d.GetExplanation().GetSummary())
	}
	return summaries
}

func (h *house) figures(report string) map[string]float64 {
	h.t.Helper()
	r := must[*feedbackv1.Report](h.t)(feedbackv1.NewReportServiceClient(h.conn).GetReport(h.as(""), &feedbackv1.GetReportRequest{Report: report}))
	out := map[string]float64{}
	for _, f := range r.GetTotal().GetFigures() {
		if !f.GetUnknown() {
			out[f.GetName()] = f.GetValue()
		}
	}
	return out
}

func same(t *testing.T, what string, got, want any, how ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, how...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestOneLeadGoesAllTheWay(t *testing.T) {
	h := start(t, Config{})
	id := h.submit("walk-1", filled(1))
	h.settle()

	held := h.lead(id)
	same(t, "a lead without an agreement", []any{held.GetState(), held.GetStage(), held.GetBlockedBy()}, []any{leadv1.State_STATE_HELD, leadv1.Stage_STAGE_LEAD, "no-agreement"})
	const waits = "No agreement is in force, so nothing says what a qualified lead is. It is kept and decided as soon as both departments have signed one."
	same(t, "why it waits", h.explained(id), []string{waits})
	same(t, "who has it", h.owner(id), "With nobody: it waits for an agreement in force. "+waits)

	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	h.settle()
	offered := h.lead(id)
	same(t, "a lead that both departments agree on", []any{offered.GetState(), offered.GetStage(), offered.GetBlockedBy(), offered.GetOwner(), offered.GetAgreementVersion()}, []any{leadv1.State_STATE_OFFERED, leadv1.Stage_STAGE_MQL, "", "", int64(1)})
	who := offered.GetOfferedTo()
	if who != "ana" && who != "ben" && who != "chloe" {
		t.Fatalf("offered to %q, who is not in the pool", who)
	}
	// Two hours of working time from ten o'clock in Berlin.
	same(t, "until when", offered.GetTakeBy().AsTime(), monday.Add(2*time.Hour))
	same(t, "who has it", h.owner(id), "Offered to "+who+" until 2026-03-02 11:00 UTC.")
	const mql = `Marketing qualified lead: the customer profile is met with 5 points (3 needed) and the persona "Somebody at a company" matches (agreement version 1, profile 1, personas 1).`
	same(t, "the explanation", h.explained(id), []string{waits, mql})

	h.time.Set(monday.Add(30 * time.Minute))
	must[*routingv1.AcceptResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Accept(h.as(who), &routingv1.AcceptRequest{LeadId: id}))
	h.time.Set(monday.Add(90 * time.Minute))
	horizon := int64(3)
	call := &qualificationv1.RecordCallRequest{LeadId: id, IdempotencyKey: "call-1", Reached: true, FitConfirmed: true, HorizonMonths: &horizon, Note: "Wants a visit."}
	first := must[*qualificationv1.RecordCallResponse](t)(qualificationv1.NewQualificationServiceClient(h.conn).RecordCall(h.as(who), call))
	again := must[*qualificationv1.RecordCallResponse](t)(qualificationv1.NewQualificationServiceClient(h.conn).RecordCall(h.as(who), call))
	same(t, "the same call recorded twice", []any{again.GetCallId(), again.GetSequence()}, []any{first.GetCallId(), first.GetSequence()})
	h.settle()
	called := h.lead(id)
	same(t, "after the call", []any{called.GetState(), called.GetStage(), called.GetOwner()}, []any{leadv1.State_STATE_ACCEPTED, leadv1.Stage_STAGE_SQL, who})
	same(t, "who has it", h.owner(id), "With "+who+"; the lead is accepted.")
	const sql = "Sales qualified lead: the call confirmed the profile and a horizon of 3 months, inside the agreed 6 months (agreement version 1)."
	same(t, "the explanation", h.explained(id), []string{waits, mql, sql})
	same(t, "the load", h.loads(), map[string]int64{who: 1})

	h.time.Set(monday.Add(50 * time.Hour))
	must[*feedbackv1.RecordOutcomeResponse](t)(feedbackv1.NewFeedbackServiceClient(h.conn).RecordOutcome(h.as(who), &feedbackv1.RecordOutcomeRequest{
		LeadId: id, IdempotencyKey: "close-1", Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, ValueMinor: 120050, Currency: "EUR",
	}))
	h.settle()
	same(t, "the state", h.lead(id).GetState(), leadv1.State_STATE_WON)
	same(t, "the load", h.loads(), map[string]int64{})

	same(t, "what happened to the lead", h.types("lead."+id), []string{
		"LeadReceived", "PersonAttached", "QualificationHeld", "LeadQualified", "LeadOffered", "OfferAccepted", "CallRecorded", "LeadQualified", "OutcomeRecorded",
	})
	same(t, "what happened to the person", h.types("person."+held.GetPersonId()), []string{"LeadAttached", "OwnerChanged"})
	same(t, "what happened to the pools", h.steps("sales"), []string{"offered " + who, "accepted " + who, "released " + who})
	same(t, "the history", h.sentences(id), strings.ReplaceAll(`Received from web (unsigned) on 2026-03-02 09:00 UTC.
Belongs to a person who was not known before.
Waits before qualification: `+waits+`
Qualified as MQL by version 1 of the agreement: `+mql+`
Offered to WHO (offer 1, pool inside-sales) until 2026-03-02 11:00 UTC: Offered to WHO by rule "everything-else" of the agreement (version 1): of 3 who can take it in pool Inside sales, WHO must be served soonest (turn 1; due by turn 3); others are owed exactly as much, and the lot of WHO comes first.
WHO accepted offer 1.
Called by WHO, a qualifier: the person was reached, the customer profile was confirmed, wants to buy within 3 months; with a sealed note.
Qualified as SQL by version 1 of the agreement: `+sql+`
WHO won the deal worth 1200.50 EUR.
`, "WHO", who))

	funnel := h.figures("funnel")
	for name, want := range map[string]float64{"received": 1, "mql": 1, "sal": 1, "sql": 1, "offered": 1, "accepted": 1, "rejected": 0, "won": 1, "lost": 0, "refused": 0, "duplicates": 0} {
		same(t, "funnel: "+name, funnel[name], want)
	}
	response := h.figures("response")
	for name, want := range map[string]float64{"leads": 1, "up_to_1h": 0, "from_1h_to_24h": 1, "over_24h": 0, "never": 0, "mean_seconds": 5400, "median_seconds": 5400} {
		same(t, "response: "+name, response[name], want)
	}
	whole(t, h)
}

// loads are how many leads each member holds; who holds none is left out.
func (h *house) loads() map[string]int64 {
	h.t.Helper()
	out := map[string]int64{}
	for _, m := range must[*routingv1.ListMembersResponse](h.t)(routingv1.NewRoutingServiceClient(h.conn).ListMembers(h.as(""), &routingv1.ListMembersRequest{})).GetMembers() {
		if m.GetLoad() != 0 {
			out[m.GetMember()] = m.GetLoad()
		}
	}
	return out
}

// steps are what a group of pools did, and with whom.
func (h *house) steps(group string) (steps []string) {
	h.t.Helper()
	for _, e := range must[[]*ledger.Event](h.t)(h.App.log.History(h.t.Context(), "pool."+group)) {
		for _, step := range e.Body.(*routingv1.PoolAdvanced).GetSteps() {
			kind := strings.ToLower(strings.TrimPrefix(step.GetKind().String(), "STEP_KIND_"))
			steps = append(steps, strings.TrimSpace(kind+" "+step.GetMember()))
		}
	}
	return steps
}

// whole verifies the log of a running system from outside.
func whole(t *testing.T, h *house) *audit.Result {
	t.Helper()
	result := must[*audit.Result](t)(audit.Verify(h.as(""), audit.Remote{Client: auditv1.NewAuditServiceClient(h.conn)}, audit.Options{}))
	if !result.Whole() || result.Differ != 0 {
		t.Errorf("the log is not whole: %+v", result.Findings)
	}
	return result
}

func TestTheSameBodyTwiceIsOneLead(t *testing.T) {
	h := start(t, Config{})
	// Named by its sender: a repeat, for ever.
	id := h.submit("named", filled(1))
	h.settle()
	same(t, "the lead of the repeat", h.submit("named", filled(1)), id)
	h.settle()
	h.time.Set(monday.Add(20 * 24 * time.Hour))
	same(t, "the lead of a late repeat", h.submit("named", filled(1)), id)
	h.settle()
	same(t, "what happened", h.types("lead."+id), []string{"LeadReceived", "PersonAttached", "QualificationHeld", "SubmissionRepeated", "SubmissionRepeated"})

	// Not named: the same body within a day joins the first lead as a touch.
	unnamed := func() reply {
		return h.post("web", "application/x-www-form-urlencoded", []byte(filled(2).Encode()), nil)
	}
	second := h.leadOf(unnamed())
	h.settle()
	unnamed()
	h.settle()
	same(t, "what happened", h.types("lead."+second), []string{"LeadReceived", "PersonAttached", "QualificationHeld", "TouchAdded"})
	same(t, "leads", h.count(), 2)
	same(t, "duplicates", h.figures("funnel")["duplicates"], 3.0)
	whole(t, h)
}

func TestOtherContentsAreARevisionOrAConflict(t *testing.T) {
	h := start(t, Config{Sources: []string{signedSource(t)}})
	changed := filled(1)
	changed.Set("employees", "900")

	// Nobody signed: both stand, the first counts, and it shows.
	open := h.submit("one", filled(1))
	h.settle()
	same(t, "the lead of the other contents", h.submit("one", changed), open)
	h.settle()
	got := h.lead(open)
	same(t, "an unsigned conflict", []any{got.GetConflict(), got.GetFeatures().GetEmployees(), got.GetSigned()}, []any{true, int64(80), false})
	if want := "The same submission came with other contents from an unsigned source; they are kept aside as a conflict and nothing changed.\n"; !strings.HasSuffix(h.sentences(open), want) {
		t.Errorf("the history does not say so:\n%s", h.sentences(open))
	}

	// Signed: the new contents count.
	send := func(form url.Values) string {
		a := h.postSigned(form, "one")
		same(t, "the answer", []any{a.status, a.body}, []any{http.StatusOK, "{}"})
		return h.leadOf(a)
	}
	signed := send(filled(1))
	h.settle()
	if signed == open {
		t.Error("two sources that name their submissions alike share a lead")
	}
	same(t, "the lead of the revision", send(changed), signed)
	h.settle()
	got = h.lead(signed)
	same(t, "a signed revision", []any{got.GetConflict(), got.GetFeatures().GetEmployees(), got.GetSigned()}, []any{false, int64(900), true})
	if want := "The same submission came with other contents, which count from now on.\n"; !strings.HasSuffix(h.sentences(signed), want) {
		t.Errorf("the history does not say so:\n%s", h.sentences(signed))
	}
	same(t, "leads", h.count(), 2)
	// One person, by the same address.
	same(t, "the person", h.lead(signed).GetPersonId(), h.lead(open).GetPersonId())
	whole(t, h)
}

const sharedSecret = "a secret that two programs share"

// signedSource is the short form of a source whose deliveries are signed.
func signedSource(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shop.secret")
	if err := os.WriteFile(file, []byte(sharedSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return "shop,header=X-Signature,prefix=sha256=,secret=file:" + file
}

func (h *house) postSigned(form url.Values, key string) reply {
	h.t.Helper()
	body := []byte(form.Encode())
	mac := hmac.New(sha256.New, []byte(sharedSecret))
	_, _ = mac.Write(body) // a hash takes everything
	return h.post("shop", "application/x-www-form-urlencoded", body, http.Header{"X-Signature": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}, "Idempotency-Key": {key}})
}

func TestAWrongSignatureLeavesNothing(t *testing.T) {
	h := start(t, Config{Sources: []string{signedSource(t)}})
	body := []byte(filled(1).Encode())
	for name, header := range map[string]http.Header{
		"none":              {},
		"of another secret": {"X-Signature": {"sha256=" + strings.Repeat("ab", 32)}},
		"without a prefix":  {"X-Signature": {strings.Repeat("ab", 32)}},
		"no hex":            {"X-Signature": {"sha256=what"}},
	} {
		got := h.post("shop", "application/x-www-form-urlencoded", body, header)
		same(t, "signature "+name, []any{got.status, got.header.Get(intake.HeaderSubmission), got.header.Get(intake.HeaderDelivery)}, []any{http.StatusUnauthorized, "", ""})
	}
	good := h.postSigned(filled(1), "")
	same(t, "a good signature", good.status, http.StatusOK)
	h.settle()
	same(t, "leads", h.count(), 1)
	in := must[uint64](t)(h.App.log.Last(t.Context(), ledger.StreamIntake))
	same(t, "kept records", in, uint64(1))
}

// told is the fault that a call was refused with.
func told(err error) (fault.Kind, string) {
	if err == nil {
		return fault.Unknown, "nothing"
	}
	err = access.FaultOf(err)
	return fault.Of(err), err.Error()
}
