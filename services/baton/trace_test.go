package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
)

// tree writes the trace of a lead as the recorder does, with who works behind
// each span that works on a message.
func tree(seen *telemetry.Recorder, id string) string {
	spans := seen.Spans()
	at := slices.IndexFunc(spans, func(s telemetry.Span) bool { return s.Attributes[string(telemetry.KeyLead)] == id })
	if at < 0 {
		return ""
	}
	trace := spans[at].TraceID
	var b strings.Builder
	var write func(parent string, depth int)
	write = func(parent string, depth int) {
		children := slices.DeleteFunc(slices.Clone(spans), func(s telemetry.Span) bool {
			// Who was overtaken while they decided looks again; the tree is of
			// what was said.
			overtaken := s.Attributes[string(telemetry.KeyFault)] == fault.Conflict.String()
			return s.TraceID != trace || s.ParentID != parent || overtaken
		})
		slices.SortStableFunc(children, func(a, b telemetry.Span) int { return a.Start.Compare(b.Start) })
		for _, s := range children {
			b.WriteString(strings.Repeat("  ", depth) + s.Name)
			if who := s.Attributes[string(telemetry.KeyConsumer)]; who != "" {
				b.WriteString(" (" + who + ")")
			}
			b.WriteString("\n")
			write(s.SpanID, depth+1)
		}
	}
	write("", 0)
	return b.String()
}

func TestTraceIsOneTree(t *testing.T) {
	seen := telemetry.NewRecorder()
	h := start(t, Config{telemetry: telemetry.Config{Exporter: seen}})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	h.settle()
	seen.Reset()
	first, second := h.submit("traced-1", filled(1)), h.submit("traced-2", filled(2))
	h.settle()
	const want = `POST /hooks/{source}
  send INTAKE
    process INTAKE (intake)
      process LEDGER (qualification)
        process LEDGER (routing)
`
	for _, id := range []string{first, second} {
		same(t, "the trace of a lead from the webhook to the assignment", tree(seen, id), want)
	}
	// Every event of a lead names the trace that it belongs to, and no other.
	of := func(id string) (traces []string) {
		for _, e := range must[*leadv1.GetHistoryResponse](t)(leadv1.NewLeadServiceClient(h.conn).GetHistory(h.as(""), &leadv1.GetHistoryRequest{LeadId: id})).GetEntries() {
			if !slices.Contains(traces, e.GetTraceId()) {
				traces = append(traces, e.GetTraceId())
			}
		}
		return traces
	}
	if a, b := of(first), of(second); len(a) != 1 || len(b) != 1 || a[0] == b[0] || a[0] == "" {
		t.Errorf("the events of two leads name the traces %v and %v; want one for each", a, b)
	}

	// What nobody's message brings about belongs to it as well: the clock of an
	// offer runs out, and the next one gets the lead.
	h.time.Set(monday.Add(2 * time.Hour))
	h.settle()
	same(t, "the trace of an offer that ran out", tree(seen, second), want+"          process LEDGER (routing)\n")

	// What somebody does with a lead is a trace of its own, from their call on.
	seen.Reset()
	who := h.lead(first).GetOfferedTo()
	seen.Reset()
	must[*routingv1.AcceptResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Accept(h.as(who), &routingv1.AcceptRequest{LeadId: first}))
	h.settle()
	same(t, "the trace of an acceptance", tree(seen, first), `baton.routing.v1.RoutingService/Accept
  baton.routing.v1.RoutingService/Accept
    process LEDGER (routing)
`)
}

// Canaries: each stands in one place where something personal comes in.
const (
	inFirstName = "Kanarienfirst"
	inLastName  = "Kanarienlast"
	inEmail     = "kanarienmail"
	inPhone     = "7331234"
	inCompany   = "Kanariencompany"
	inTitle     = "Kanarientitle"
	inMessage   = "Kanarienmessage"
	inOther     = "Kanarienother"
	inQuery     = "Kanarienquery"
	inKey       = "kanarienkey"
	inNote      = "Kanariennote"
	inRejection = "Kanarienrejection"
	inClosing   = "Kanarienclosing"
	inMember    = "Kanarienmember"
	inAddress   = "kanarienaddress"
	inPath      = "kanarienpath"
	inBroken    = "Kanarienbroken"
)

var canaries = []string{inFirstName, inLastName, inEmail, inPhone, inCompany, inTitle, inMessage, inOther, inQuery, inKey, inNote, inRejection, inClosing, inMember, inAddress, inPath, inBroken}

// silent fails where a text tells of a canary, in whatever spelling.
func silent(t *testing.T, where string, text []byte) {
	t.Helper()
	lower := bytes.ToLower(text)
	for _, c := range canaries {
		if i := bytes.Index(lower, bytes.ToLower([]byte(c))); i >= 0 {
			t.Errorf("%s tells %q: …%q…", where, c, text[max(0, i-60):min(len(text), i+60)])
		}
	}
}

func TestNothingPersonalIsTold(t *testing.T) {
	seen := telemetry.NewRecorder()
	data := filepath.Join(t.TempDir(), "data")
	h := start(t, Config{Data: data, Metrics: "127.0.0.1:0", Sources: []string{signedSource(t)}, telemetry: telemetry.Config{Exporter: seen}})
	people := routingv1.NewRoutingServiceClient(h.conn)
	for _, handle := range []string{"ana", "ben"} {
		added := must[*routingv1.AddMemberResponse](t)(people.AddMember(h.as(""), &routingv1.AddMemberRequest{
			Member: handle, Name: inMember, Email: inAddress + "@acme.example", Roles: []string{access.Sales, access.Qualifier},
		}))
		h.tokens[handle] = added.GetToken()
	}
	h.agree(h.document())
	form := url.Values{
		"first_name": {inFirstName}, "last_name": {inLastName}, "email": {inEmail + "@" + inEmail + ".example"}, "phone": {"+49 30 " + inPhone},
		"company": {inCompany + " GmbH"}, "job_title": {inTitle}, "message": {inMessage}, "shoe size": {inOther}, "country": {"DE"}, "employees": {"80"},
	}
	var answers []reply
	send := func(source, contentType, body string, header http.Header) reply {
		a := h.post(source, contentType, []byte(body), header)
		answers = append(answers, a)
		return a
	}
	const plain = "application/x-www-form-urlencoded"
	leads := []string{
		h.leadOf(send("web", plain, form.Encode(), http.Header{"Idempotency-Key": {inKey}})),
		h.leadOf(send("web?comment="+inQuery, plain, form.Encode(), nil)),
	}
	other := url.Values{"email": {inEmail + "@" + inEmail + ".example"}, "employees": {"900"}}
	send("web", plain, other.Encode(), http.Header{"Idempotency-Key": {inKey}}) // a conflict
	send("web", plain, "", nil)
	send("web", plain, "message="+inMessage, nil) // nobody to reach
	send("web", "application/json", `{"email": "`+inBroken, nil)
	send("web", "application/json", `{"email": "`+inBroken+`@a.example", "email": "b@a.example"}`, nil)
	send("web", "application/json", `{"name":"`+inFirstName+`"}`, nil)
	send("web/"+inPath, plain, form.Encode(), nil)
	send(inPath, plain, form.Encode(), nil)
	send("shop", plain, form.Encode(), http.Header{"X-Signature": {"sha256=" + inBroken}})
	send("web", plain, form.Encode(), http.Header{"Idempotency-Key": {inBroken + "\u00e9"}})
	h.settle()
	for i, a := range answers {
		silent(t, fmt.Sprintf("answer %d of the door", i), fmt.Append(nil, a.status, a.header, a.body))
	}

	who := h.lead(leads[0]).GetOfferedTo()
	must[*routingv1.RejectResponse](t)(people.Reject(h.as(who), &routingv1.RejectRequest{LeadId: leads[0], Reason: "no-time", Note: inRejection}))
	h.settle()
	who = h.lead(leads[0]).GetOfferedTo()
	must[*routingv1.AcceptResponse](t)(people.Accept(h.as(who), &routingv1.AcceptRequest{LeadId: leads[0]}))
	must[*qualificationv1.RecordCallResponse](t)(qualificationv1.NewQualificationServiceClient(h.conn).RecordCall(h.as(who), &qualificationv1.RecordCallRequest{
		LeadId: leads[0], IdempotencyKey: "call", Reached: true, FitConfirmed: true, Note: inNote,
	}))
	must[*feedbackv1.RecordOutcomeResponse](t)(feedbackv1.NewFeedbackServiceClient(h.conn).RecordOutcome(h.as(who), &feedbackv1.RecordOutcomeRequest{
		LeadId: leads[0], IdempotencyKey: "close", Kind: leadv1.OutcomeKind_OUTCOME_KIND_LOST, Reason: "chose-another", Note: inClosing,
	}))
	h.settle()
	// It is all there for those who work with it.
	if p := h.lead(leads[0]).GetPersonal(); p.GetFirstName() != inFirstName || p.GetMessage() != inMessage {
		t.Errorf("what was sent is not there any more: %v", p)
	}

	for _, id := range leads {
		silent(t, "a history", []byte(h.sentences(id)))
		for _, e := range must[*leadv1.GetHistoryResponse](t)(leadv1.NewLeadServiceClient(h.conn).GetHistory(h.as(""), &leadv1.GetHistoryRequest{LeadId: id})).GetEntries() {
			silent(t, "an event as JSON", []byte(e.GetJson()))
		}
	}
	for _, stream := range []string{ledger.StreamIntake, ledger.StreamLedger, ledger.StreamCheckpoints} {
		n := h.stored(stream, func(r *ledger.Record) {
			silent(t, "a subject of "+stream, []byte(r.Subject))
			silent(t, "a header in "+stream, fmt.Append(nil, r.Header))
			silent(t, "a body in "+stream, r.Body)
		})
		if n == 0 && stream != ledger.StreamCheckpoints {
			t.Errorf("%s holds nothing", stream)
		}
	}
	resp, err := http.Get("http://" + h.MetricsAddr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !bytes.Contains(page, []byte("baton_deliveries")) {
		t.Fatalf("no metrics: %v\n%s", err, page)
	}
	silent(t, "the metrics page", page)

	h.stop()
	spans, err := json.Marshal(seen.Spans())
	if err != nil || !bytes.Contains(spans, []byte("process LEDGER")) {
		t.Fatalf("no spans: %v", err)
	}
	silent(t, "a span", spans)
	if !strings.Contains(h.out.String(), "signature is missing or wrong") {
		t.Errorf("the log misses what it should tell:\n%s", h.out.String())
	}
	silent(t, "the log", []byte(h.out.String()))
	// On disk everything personal lies sealed, in the log, the read model and
	// the key store alike.
	files := 0
	err = filepath.WalkDir(filepath.Dir(data), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		raw, err := os.ReadFile(path)
		silent(t, "the file "+d.Name(), raw)
		return err
	})
	if err != nil || files < 10 {
		t.Errorf("%d files read, %v", files, err)
	}
}

// stored hands out every record of a stream.
func (h *house) stored(stream string, fn func(*ledger.Record)) (n int) {
	h.t.Helper()
	last := must[uint64](h.t)(h.App.log.Last(h.t.Context(), stream))
	if last == 0 {
		return 0
	}
	err := h.App.log.Read(h.t.Context(), stream, 1, last, func(r *ledger.Record) error {
		n++
		fn(r)
		return nil
	}, func(seq uint64, why string) error {
		h.t.Errorf("record %d of %s cannot be read: %s", seq, stream, why)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}
