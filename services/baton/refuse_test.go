package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

func TestASecondProcessIsRefusedByName(t *testing.T) {
	h := start(t, Config{})
	second, err := Start(t.Context(), Config{Data: h.cfg.Data, HTTP: "-", Console: "-", GRPC: "-", Metrics: "-"})
	if err == nil {
		_ = second.Stop(t.Context())
		t.Fatal("two processes run on one directory")
	}
	kind, text := told(err)
	same(t, "the kind", kind, fault.State)
	for _, want := range []string{h.cfg.Data, "is in use by baton up", fmt.Sprintf("(process %d)", os.Getpid()), "--data"} {
		if !strings.Contains(text, want) {
			t.Errorf("it should say %q: %s", want, text)
		}
	}
	// The first one has not noticed.
	h.submit("still here", filled(1))
	h.settle()
	same(t, "leads", h.count(), 1)
	h.stop()
	again := start(t, Config{Data: h.cfg.Data})
	same(t, "leads", again.count(), 1)
}

func TestWhoMayNotIsRefused(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe")
	auditor := must[*routingv1.AddMemberResponse](t)(routingv1.NewRoutingServiceClient(h.conn).AddMember(h.as(""), &routingv1.AddMemberRequest{Member: "ruth", Roles: []string{access.Auditor}}))
	h.tokens["ruth"] = auditor.GetToken()
	h.agree(h.document())
	id := h.submit("one", filled(1))
	h.settle()
	holder := h.lead(id).GetOfferedTo()
	other := map[string]string{"ana": "ben", "ben": "chloe", "chloe": "ana"}[holder]
	before := h.types("lead." + id)

	people := routingv1.NewRoutingServiceClient(h.conn)
	calls := qualificationv1.NewQualificationServiceClient(h.conn)
	outcomes := feedbackv1.NewFeedbackServiceClient(h.conn)
	nobody := t.Context()
	stranger := access.WithToken(t.Context(), access.NewToken())
	accept := func(ctx context.Context) error {
		_, err := people.Accept(ctx, &routingv1.AcceptRequest{LeadId: id})
		return err
	}
	reject := func(ctx context.Context) error {
		_, err := people.Reject(ctx, &routingv1.RejectRequest{LeadId: id, Reason: "no-fit"})
		return err
	}
	call := func(ctx context.Context) error {
		_, err := calls.RecordCall(ctx, &qualificationv1.RecordCallRequest{LeadId: id, IdempotencyKey: "c", Reached: true, FitConfirmed: true})
		return err
	}
	won := func(ctx context.Context) error {
		_, err := outcomes.RecordOutcome(ctx, &feedbackv1.RecordOutcomeRequest{LeadId: id, IdempotencyKey: "o", Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON})
		return err
	}
	add := func(ctx context.Context) error {
		_, err := people.AddMember(ctx, &routingv1.AddMemberRequest{Member: "eve", Roles: []string{access.Manager}})
		return err
	}
	away := func(ctx context.Context) error {
		_, err := people.SetAvailability(ctx, &routingv1.SetAvailabilityRequest{Member: holder, Away: true})
		return err
	}
	propose := func(ctx context.Context) error {
		_, err := agreementv1.NewAgreementServiceClient(h.conn).Propose(ctx, &agreementv1.ProposeRequest{Document: h.document()})
		return err
	}
	read := func(ctx context.Context) error {
		_, err := leadv1.NewLeadServiceClient(h.conn).GetLead(ctx, &leadv1.GetLeadRequest{LeadId: id})
		return err
	}
	replay := func(ctx context.Context) error {
		in, err := auditv1.NewAuditServiceClient(h.conn).Replay(ctx, &auditv1.ReplayRequest{})
		if err == nil {
			_, err = in.Recv()
		}
		return err
	}
	submit := func(ctx context.Context) error {
		_, err := intakev1.NewIntakeServiceClient(h.conn).Submit(ctx, &intakev1.SubmitRequest{Source: "web", IdempotencyKey: "k", Submission: &intakev1.Submission{}})
		return err
	}
	for _, c := range []struct {
		what string
		who  context.Context
		do   func(context.Context) error
		kind fault.Kind
		says string
	}{
		{"nobody accepts", nobody, accept, fault.Unauthenticated, "needs a token"},
		{"nobody reads", nobody, read, fault.Unauthenticated, "needs a token"},
		{"nobody replays", nobody, replay, fault.Unauthenticated, "needs a token"},
		{"a stranger accepts", stranger, accept, fault.Unauthenticated, "not known"},
		{"a stranger adds a manager", stranger, add, fault.Unauthenticated, "not known"},
		{"a seller adds a manager", h.as(holder), add, fault.Denied, "adding a person takes the role manager or operator; you have sales, qualifier"},
		{"a seller reads the raw log", h.as(holder), replay, fault.Denied, "reading the log as it is stored takes the role manager, operator or auditor; you have"},
		{"a seller submits", h.as(holder), submit, fault.Denied, "handing in a submission takes the role marketing or operator"},
		{"an auditor accepts", h.as("ruth"), accept, fault.Denied, "you have auditor"},
		{"an auditor calls", h.as("ruth"), call, fault.Denied, "recording a call takes the role qualifier; you have auditor"},
		{"an auditor proposes", h.as("ruth"), propose, fault.Denied, "proposing an agreement takes the role marketing, sales, manager or operator"},
		{"an auditor sends somebody away", h.as("ruth"), away, fault.Denied, "saying who is away takes the role"},
		{"another accepts", h.as(other), accept, fault.State, "the lead is offered to " + holder + "; only they can accept it"},
		{"another rejects", h.as(other), reject, fault.State, "the lead is with " + holder + "; only they can reject it"},
		{"another sends somebody away", h.as(other), away, fault.Denied, "only a manager or an operator may say when somebody else is there"},
		{"the operator accepts for somebody", h.as(""), accept, fault.State, "only they can accept it"},
		{"who was offered it wins it", h.as(holder), won, fault.State, "must be accepted"},
	} {
		kind, text := told(c.do(c.who))
		if kind != c.kind || !strings.Contains(text, c.says) {
			t.Errorf("%s: %v %q, want %v with %q", c.what, kind, text, c.kind, c.says)
		}
	}
	h.settle()
	same(t, "what happened to the lead", h.types("lead."+id), before)

	must[*routingv1.AcceptResponse](t)(people.Accept(h.as(holder), &routingv1.AcceptRequest{LeadId: id}))
	kind, text := told(won(h.as(other)))
	if kind != fault.Denied || !strings.Contains(text, "belongs to "+holder) {
		t.Errorf("another wins it: %v %q", kind, text)
	}
	// Who is taken out is nobody from that moment on.
	must[*routingv1.Member](t)(people.DeactivateMember(h.as(""), &routingv1.DeactivateMemberRequest{Member: other, Reason: "left"}))
	if kind, text := told(read(h.as(other))); kind != fault.Unauthenticated {
		t.Errorf("who was taken out reads: %v %q", kind, text)
	}
	whole(t, h)
}

func TestABadAgreementIsRefusedWithItsPlace(t *testing.T) {
	h := start(t, Config{})
	for _, c := range []struct{ name, old, new, at, says string }{
		{"an unknown key", "name: Lead agreement", "nmae: x\nname: Lead agreement", "nmae: x", `"nmae"`},
		{"a condition of the wrong type", "when: lead.employees >= 20", `when: lead.employees >= "20"`, `lead.employees >= "20"`, "employees"},
		{"a condition that is no condition", "when: lead.employees >= 20", "when: lead.employees + 20", "lead.employees + 20", "not yes or no"},
		{"an unbounded loop", "when: lead.employees >= 20", `when: '["a"].exists(x, x == lead.country)'`, `["a"].exists`, "the loop exists is not allowed"},
		{"a stage without owner", "    title: Marketing qualified lead\n    owner: Head of sales\n", "    title: Marketing qualified lead\n", "  MQL:\n", "owner"},
	} {
		good := h.document()
		bad := bytes.Replace(good, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(good, bad) {
			t.Fatalf("%s: the starter agreement holds no %q", c.name, c.old)
		}
		_, err := agreementv1.NewAgreementServiceClient(h.conn).Propose(h.as(""), &agreementv1.ProposeRequest{Document: bad})
		kind, text := told(err)
		line := 1 + bytes.Count(bad[:bytes.Index(bad, []byte(c.at))], []byte("\n"))
		if place := fmt.Sprintf("line %d, column ", line); kind != fault.Invalid || !strings.Contains(text, c.says) || !strings.Contains(text, place) {
			t.Errorf("%s: %v, want %q at %q:\n%s", c.name, kind, c.says, place, text)
		}
	}
	got := must[*agreementv1.ListAgreementsResponse](t)(agreementv1.NewAgreementServiceClient(h.conn).ListAgreements(h.as(""), &agreementv1.ListAgreementsRequest{}))
	same(t, "versions", len(got.GetAgreements()), 0)
}

func TestBadRequestsGetAClearAnswerAndLeaveNothing(t *testing.T) {
	h := start(t, Config{})
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write([]byte(filled(1).Encode())) // a buffer takes everything
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	const form, json = "application/x-www-form-urlencoded", "application/json"
	for _, c := range []struct {
		name, source, contentType string
		body                      []byte
		header                    http.Header
		status                    int
		says                      string
	}{
		{"an unknown source", "nothing", form, []byte("email=a@b.example"), nil, 404, "there is no source of this name"},
		{"a source with a star", "%2A", form, []byte("email=a@b.example"), nil, 404, "there is no source of this name"},
		{"a source with the rest of all subjects", "%3E", form, []byte("email=a@b.example"), nil, 404, "there is no source of this name"},
		{"a source with dots", "web.x", form, []byte("email=a@b.example"), nil, 404, "there is no source of this name"},
		{"no source", "", form, []byte("email=a@b.example"), nil, 404, "post to /hooks/"},
		{"an oversized body", "web", json, bytes.Repeat([]byte(" "), 9<<20), nil, 413, "the body is longer than"},
		{"a compressed body", "web", form, packed.Bytes(), http.Header{"Content-Encoding": {"gzip"}}, 415, "compressed bodies are not taken"},
		{"broken JSON", "web", json, []byte(`{"email":`), nil, 400, ""},
		{"two texts", "web", json, []byte(`{"email":"a@b.example"} {}`), nil, 400, ""},
		{"depth 100,000", "web", json, bytes.Repeat([]byte("["), 100_000), nil, 400, ""},
		{"invalid UTF-8", "web", json, []byte("{\"email\":\"\xff@b.example\"}"), nil, 400, ""},
		{"nothing", "web", json, nil, nil, 400, ""},
		{"two keys", "web", form, []byte("email=a@b.example"), http.Header{"Idempotency-Key": {"a", "b"}}, 400, "Idempotency-Key"},
		{"a key too long", "web", form, []byte("email=a@b.example"), http.Header{"Idempotency-Key": {strings.Repeat("k", 600)}}, 400, "Idempotency-Key"},
	} {
		got := h.post(c.source, c.contentType, c.body, c.header)
		if got.status != c.status || !strings.Contains(got.body, c.says) || !strings.HasPrefix(got.body, `{"message":"`) || len(got.body) < 30 {
			t.Errorf("%s: %d %s, want %d with %q", c.name, got.status, got.body, c.status, c.says)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+h.door+"/hooks/web", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	same(t, "a wrong method", []any{resp.StatusCode, resp.Header.Get("Allow") != ""}, []any{405, true})
	same(t, "10,000 headers", tenThousandHeaders(t, h.door), "431")

	h.settle()
	same(t, "leads", h.count(), 0)
	same(t, "kept records", must[uint64](t)(h.App.log.Last(t.Context(), ledger.StreamIntake)), uint64(0))

	// Names with every letter that means something to a subject are good names,
	// and never become a part of one. So are the strangest of good bodies.
	for i, key := range []string{"a.b", "*", ">", "a b", "lead.>", "$JS.API", "../../x"} {
		h.submit(key, filled(i))
	}
	got := h.post("web", json, []byte("{\"email\":\"nul@b.example\",\"message\":\"a\\u0000b\"}"), nil)
	if got.status != 200 && got.status != 400 {
		t.Errorf("a NUL: %d %s", got.status, got.body)
	}
	h.settle()
	if n := h.count(); n < 7 {
		t.Errorf("%d leads, want at least 7", n)
	}
	// Of two values under one key the last counts, as everywhere.
	twice := h.leadOf(h.post("web", json, []byte(`{"email":"first@b.example","email":"last@b.example"}`), nil))
	h.settle()
	same(t, "duplicate keys", h.lead(twice).GetPersonal().GetEmail(), "last@b.example")
	for _, stream := range []string{ledger.StreamIntake, ledger.StreamLedger} {
		h.stored(stream, func(r *ledger.Record) {
			for token := range strings.SplitSeq(r.Subject, ".") {
				if !lead.Safe(token) {
					t.Errorf("the subject %q holds a token from outside", r.Subject)
				}
			}
		})
	}
	if strings.Contains(h.out.String(), "panic") || strings.Contains(h.out.String(), "broke") {
		t.Errorf("something broke:\n%s", h.out.String())
	}
	whole(t, h)
}

// tenThousandHeaders answers the status that they get.
func tenThousandHeaders(t *testing.T, door string) string {
	t.Helper()
	conn, err := net.Dial("tcp", door)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("POST /hooks/web HTTP/1.1\r\nHost: a\r\n")
	for n := range 10_000 {
		fmt.Fprintf(&b, "X-%d: %d\r\n", n, n)
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	// The server may hang up before it has read them all.
	_, _ = conn.Write(b.Bytes())
	status := make([]byte, 12)
	if _, err := conn.Read(status); err != nil {
		t.Fatal(err)
	}
	return string(status[9:])
}

func TestBadConfigurationNamesEveryFault(t *testing.T) {
	_, err := Start(t.Context(), Config{
		Data: filepath.Join(t.TempDir(), "data"), Services: []string{"intake", "billing"}, Retention: 90, PublicURL: "leads.example.com",
		Sources: []string{"shop,header=X", "shop,colour=red"},
	})
	_, text := told(err)
	for _, want := range []string{`"billing" is not a service`, "not 90", "--public-url", "needs header= and secret=", `"colour" is not a setting`, "--nats"} {
		if !strings.Contains(text, want) {
			t.Errorf("it should say %q:\n%s", want, text)
		}
	}
}

// A row of the past that no event may hold is refused alone.
func TestARowThatNoEventMayHoldIsRefusedAlone(t *testing.T) {
	h := start(t, Config{})
	at := timestamppb.New(monday.Add(-24 * time.Hour))
	row := func(line, value int64) *intakev1.HistoryRow {
		return &intakev1.HistoryRow{
			Line: line, Submission: &intakev1.Submission{ExternalId: fmt.Sprintf("D-%d", line)}, ReceivedAt: at, ClosedAt: at,
			Owner: "ana", Outcome: "won", ValueMinor: value, Currency: "EUR",
		}
	}
	got := must[*intakev1.ImportHistoryResponse](t)(intakev1.NewIntakeServiceClient(h.conn).ImportHistory(h.as(""), &intakev1.ImportHistoryRequest{
		Source: "web", Rows: []*intakev1.HistoryRow{row(1, 500), row(2, -500), row(3, 0)},
	}))
	var refused []string
	for _, r := range got.GetResults() {
		if r.GetError() != "" {
			refused = append(refused, fmt.Sprintf("%d: %s", r.GetLine(), r.GetError()))
		}
	}
	same(t, "refused rows", refused, []string{"2: value_minor is below zero; a deal is worth nothing or more"})
	h.settle()
	same(t, "leads", h.count(), 2)
}
