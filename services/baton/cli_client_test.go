package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
)

var noon = time.Date(2026, 4, 3, 12, 0, 0, 0, time.UTC)

func at(minutes int) *timestamppb.Timestamp {
	return timestamppb.New(noon.Add(time.Duration(minutes) * time.Minute))
}

// starterDocument is the starter agreement with the keys that sign it.
func starterDocument(t testing.TB) (keys map[string]ed25519.PrivateKey, document []byte) {
	t.Helper()
	keys = map[string]ed25519.PrivateKey{
		agreement.Marketing: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)),
		agreement.Sales:     ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize)),
	}
	return keys, agreement.Starter(agreement.StarterParams{MarketingKey: publicKey(keys[agreement.Marketing]), SalesKey: publicKey(keys[agreement.Sales])})
}

// system answers like a running system, from a few values, and keeps what it
// was asked. It stands behind the real interceptors: tokens, roles and the
// rules of the contracts hold.
type system struct {
	agreementv1.UnimplementedAgreementServiceServer
	auditv1.UnimplementedAuditServiceServer
	feedbackv1.UnimplementedFeedbackServiceServer
	feedbackv1.UnimplementedReportServiceServer
	intakev1.UnimplementedIntakeServiceServer
	leadv1.UnimplementedLeadServiceServer
	qualificationv1.UnimplementedQualificationServiceServer
	routingv1.UnimplementedRoutingServiceServer

	mu    sync.Mutex
	asked []proto.Message
	// agreements by version, from 1.
	agreements []*agreementv1.Agreement
	leads      []*leadv1.Lead
	report     *feedbackv1.Report
	records    []*auditv1.StoredRecord
	// pending is how many more answers say that deliveries are not worked yet.
	pending int
	// taken are the submissions by their keys.
	taken map[string]*intakev1.SubmitRequest
	// here are the source's ids whose leads are here.
	here map[string]bool
	// history are the rows of the past by their ids.
	history map[string]*intakev1.HistoryRow
	// refuse answers a fault for a submission, by how often it was sent.
	refuse func(key string, times int) error
	sent   map[string]int
}

func (s *system) ask(m proto.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, m)
}

// last is the last request of a type.
func last[M proto.Message](t testing.TB, s *system) M {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range slices.Backward(s.asked) {
		if m, ok := m.(M); ok {
			return m
		}
	}
	var none M
	t.Fatalf("no %T was asked", none)
	return none
}

// serve starts the system and points the command line at it.
func serve(t testing.TB, s *system) {
	t.Helper()
	serveDoor(t, s, s)
}

// serveDoor starts the system with another door.
func serveDoor(t testing.TB, s *system, door intakev1.IntakeServiceServer) {
	t.Helper()
	token := access.NewToken()
	directory := access.NewAdmin(token)
	srv := grpc.NewServer(grpc.UnaryInterceptor(access.UnaryServer(directory)), grpc.StreamInterceptor(access.StreamServer(directory)))
	agreementv1.RegisterAgreementServiceServer(srv, s)
	auditv1.RegisterAuditServiceServer(srv, s)
	feedbackv1.RegisterFeedbackServiceServer(srv, s)
	feedbackv1.RegisterReportServiceServer(srv, s)
	intakev1.RegisterIntakeServiceServer(srv, door)
	leadv1.RegisterLeadServiceServer(srv, s)
	qualificationv1.RegisterQualificationServiceServer(srv, s)
	routingv1.RegisterRoutingServiceServer(srv, s)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Setenv(envServer, ln.Addr().String())
	t.Setenv(envToken, "")
	data := t.TempDir()
	t.Setenv(envData, data)
	// The token is found where the first start of a system puts it.
	if err := os.WriteFile(filepath.Join(data, access.AdminTokenFile), []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *system) Propose(_ context.Context, req *agreementv1.ProposeRequest) (*agreementv1.Agreement, error) {
	s.ask(req)
	digest := sha256.Sum256(req.GetDocument())
	a := &agreementv1.Agreement{Version: int64(len(s.agreements) + 1), Name: "Ours", Digest: digest[:], Document: req.GetDocument(), ProposedAt: at(0), ProposedBy: "admin"}
	s.agreements = append(s.agreements, a)
	return a, nil
}

func (s *system) GetAgreement(_ context.Context, req *agreementv1.GetAgreementRequest) (*agreementv1.Agreement, error) {
	if n := int(req.GetVersion()); n > len(s.agreements) {
		return nil, fault.New(fault.NotFound, "there is no version %d of the agreement", n)
	} else if n > 0 {
		return s.agreements[n-1], nil
	}
	for _, a := range slices.Backward(s.agreements) {
		if a.GetInForce() {
			return a, nil
		}
	}
	return nil, fault.New(fault.NotFound, "no agreement is in force")
}

func (s *system) Sign(_ context.Context, req *agreementv1.SignRequest) (*agreementv1.Agreement, error) {
	s.ask(req)
	a := s.agreements[req.GetVersion()-1]
	if !ed25519.Verify(req.GetPublicKey(), agreement.SignedText(a.GetDigest()), req.GetSignature()) {
		return nil, fault.New(fault.Invalid, "the signature does not fit")
	}
	a.Signatures = append(a.Signatures, &agreementv1.Signature{Party: req.GetParty(), SignedAt: at(1), Actor: "admin", PublicKey: req.GetPublicKey()})
	if len(a.GetSignatures()) == 2 {
		a.InForceFrom, a.InForce = at(1), true
	}
	return a, nil
}

func (s *system) ListAgreements(context.Context, *agreementv1.ListAgreementsRequest) (*agreementv1.ListAgreementsResponse, error) {
	return &agreementv1.ListAgreementsResponse{Agreements: s.agreements}, nil
}

func (s *system) GetLead(_ context.Context, req *leadv1.GetLeadRequest) (*leadv1.Lead, error) {
	s.ask(req)
	for _, l := range s.leads {
		if l.GetLeadId() == req.GetLeadId() {
			return l, nil
		}
	}
	return nil, fault.New(fault.NotFound, "there is no lead %s", req.GetLeadId())
}

// ListLeads answers two leads a page.
func (s *system) ListLeads(_ context.Context, req *leadv1.ListLeadsRequest) (*leadv1.ListLeadsResponse, error) {
	s.ask(req)
	if begin := req.GetIdPrefix(); begin != "" {
		return &leadv1.ListLeadsResponse{Leads: slices.DeleteFunc(slices.Clone(s.leads), func(l *leadv1.Lead) bool { return !strings.HasPrefix(l.GetLeadId(), begin) })}, nil
	}
	from := len(req.GetPageToken())
	to := min(from+min(2, int(req.GetPageSize())), len(s.leads))
	out := &leadv1.ListLeadsResponse{Leads: s.leads[from:to]}
	if to < len(s.leads) {
		out.NextPageToken = strings.Repeat("x", to)
	}
	return out, nil
}

func (s *system) GetHistory(_ context.Context, req *leadv1.GetHistoryRequest) (*leadv1.GetHistoryResponse, error) {
	return &leadv1.GetHistoryResponse{Entries: []*leadv1.HistoryEntry{{
		Sequence: 7, LeadId: req.GetLeadId(), OccurredAt: at(0), RecordedAt: at(0), Actor: "service:intake", Sentence: "Received from web.", Json: `{"source":"web"}`,
	}}}, nil
}

func (s *system) Explain(context.Context, *qualificationv1.ExplainRequest) (*qualificationv1.ExplainResponse, error) {
	return &qualificationv1.ExplainResponse{Decisions: []*qualificationv1.Decision{{
		Type: "baton.lead.v1.LeadQualified", Stage: leadv1.Stage_STAGE_MQL, RecordedAt: at(1), AgreementVersion: 2, ProfileVersion: "3", Persona: "head",
		Explanation: &leadv1.Explanation{
			Summary: "Matches the profile.", Points: 4, PointsNeeded: 3, Missing: []string{"the industry"},
			Criteria: []*leadv1.Criterion{
				{Id: "reach", Text: "Can be reached", Met: true, Must: true, Values: []*leadv1.NamedValue{{Name: "lead.has_email", Value: "yes"}}},
				{Id: "size", Condition: "lead.employees >= 20", Points: 2, Met: true},
			},
		},
	}}}, nil
}

func (s *system) RecordCall(_ context.Context, req *qualificationv1.RecordCallRequest) (*qualificationv1.RecordCallResponse, error) {
	s.ask(req)
	return &qualificationv1.RecordCallResponse{CallId: "c1", Sequence: 12}, nil
}

func (s *system) GetOwner(context.Context, *routingv1.GetOwnerRequest) (*routingv1.GetOwnerResponse, error) {
	return &routingv1.GetOwnerResponse{Owner: "ana", Text: "ana has it."}, nil
}

func (s *system) Accept(_ context.Context, req *routingv1.AcceptRequest) (*routingv1.AcceptResponse, error) {
	s.ask(req)
	return &routingv1.AcceptResponse{Sequence: 9}, nil
}

func (s *system) Reject(_ context.Context, req *routingv1.RejectRequest) (*routingv1.RejectResponse, error) {
	s.ask(req)
	return &routingv1.RejectResponse{Sequence: 10, Consequence: leadv1.Consequence_CONSEQUENCE_NURTURE}, nil
}

func (s *system) SetAvailability(_ context.Context, req *routingv1.SetAvailabilityRequest) (*routingv1.Member, error) {
	s.ask(req)
	return &routingv1.Member{Member: req.GetMember(), Away: req.GetAway(), AwayUntil: req.GetUntil(), OnDuty: !req.GetAway(), Load: 1}, nil
}

func (s *system) SetPresence(_ context.Context, req *routingv1.SetPresenceRequest) (*routingv1.Member, error) {
	s.ask(req)
	return &routingv1.Member{Member: "ana", OnDuty: true, Present: req.GetPresent(), Load: 1}, nil
}

func (s *system) AddMember(_ context.Context, req *routingv1.AddMemberRequest) (*routingv1.AddMemberResponse, error) {
	s.ask(req)
	return &routingv1.AddMemberResponse{Member: &routingv1.Member{Member: req.GetMember(), Roles: req.GetRoles()}, Token: "baton_shown_once"}, nil
}

func (s *system) RenewToken(_ context.Context, req *routingv1.RenewTokenRequest) (*routingv1.RenewTokenResponse, error) {
	s.ask(req)
	return &routingv1.RenewTokenResponse{Member: &routingv1.Member{Member: req.GetMember()}, Token: "baton_shown_once_more"}, nil
}

func (s *system) DeactivateMember(_ context.Context, req *routingv1.DeactivateMemberRequest) (*routingv1.Member, error) {
	s.ask(req)
	return &routingv1.Member{Member: req.GetMember(), Deactivated: true}, nil
}

func (s *system) ListMembers(context.Context, *routingv1.ListMembersRequest) (*routingv1.ListMembersResponse, error) {
	return &routingv1.ListMembersResponse{Members: []*routingv1.Member{
		{Member: "ana", Roles: []string{"sales", "qualifier"}, OnDuty: true, Load: 3, Capacity: 20, Turns: map[string]int64{"large": 1, "inside": 5}, Name: "Ana \x1b[31mLima"},
		{Member: "ben", Roles: []string{"sales"}, Away: true, AwayUntil: at(60), Leaves: []*routingv1.Leave{
			{LeaveId: "a1", From: at(0), Until: at(60), Reason: "dentist"}, {LeaveId: "a2", From: at(120)},
		}},
	}}, nil
}

func (s *system) ListQueue(_ context.Context, req *routingv1.ListQueueRequest) (*routingv1.ListQueueResponse, error) {
	s.ask(req)
	if req.GetPageToken() == "" {
		return &routingv1.ListQueueResponse{Leads: []*routingv1.QueuedLead{{LeadId: "lone", Pool: "inside", BlockedBy: "off-duty", Since: at(0), LookAgainAt: at(60)}}, NextPageToken: "more"}, nil
	}
	return &routingv1.ListQueueResponse{Leads: []*routingv1.QueuedLead{{LeadId: "ltwo", Pool: "inside", BlockedBy: "full", Since: at(1)}}}, nil
}

func (s *system) RecordOutcome(_ context.Context, req *feedbackv1.RecordOutcomeRequest) (*feedbackv1.RecordOutcomeResponse, error) {
	s.ask(req)
	return &feedbackv1.RecordOutcomeResponse{Sequence: 11}, nil
}

func (s *system) ListMetrics(_ context.Context, req *feedbackv1.ListMetricsRequest) (*feedbackv1.ListMetricsResponse, error) {
	s.ask(req)
	return &feedbackv1.ListMetricsResponse{Reports: []*feedbackv1.ReportInfo{{
		Report: "funnel", Text: "What came.", Cases: "lead", Dimensions: []string{"source", "week"},
		Columns: []*feedbackv1.Column{{Id: "funnel.won", Name: "won", Unit: "leads", Owner: "sales", Formula: "leads that are won", Population: "leads received", Sql: "COUNT(*) FILTER (WHERE won_at IS NOT NULL)"}},
	}}}, nil
}

func (s *system) ListReportLeads(_ context.Context, req *feedbackv1.ListReportLeadsRequest) (*feedbackv1.ListReportLeadsResponse, error) {
	s.ask(req)
	switch req.GetName() {
	case "nothing":
		return &feedbackv1.ListReportLeadsResponse{Unit: "leads"}, nil
	case "mean_seconds":
		return &feedbackv1.ListReportLeadsResponse{Unit: "seconds", OwnerIs: "rejected by", Leads: []*feedbackv1.CountedLead{{LeadId: "l1", State: "won", ReceivedAt: at(0), Owner: "ana, dan", Value: 12000}}}, nil
	case "value":
		return &feedbackv1.ListReportLeadsResponse{Unit: "money", Currency: "EUR", OwnerIs: "with", Leads: []*feedbackv1.CountedLead{{LeadId: "l1", State: "won", ReceivedAt: at(0), Owner: "ana", Value: 1200.5}}}, nil
	}
	if req.GetPageToken() == "" {
		return &feedbackv1.ListReportLeadsResponse{Unit: "leads", NextPageToken: "l1", Leads: []*feedbackv1.CountedLead{{LeadId: "l1", State: "won", ReceivedAt: at(0), Owner: "ana", Value: 1}}}, nil
	}
	return &feedbackv1.ListReportLeadsResponse{Unit: "leads", Leads: []*feedbackv1.CountedLead{{LeadId: "l2", State: "won", ReceivedAt: at(60), Value: 2.5}}}, nil
}

func (s *system) GetReport(_ context.Context, req *feedbackv1.GetReportRequest) (*feedbackv1.Report, error) {
	s.ask(req)
	if s.report == nil {
		return nil, fault.New(fault.NotFound, "there is no report %q", req.GetReport())
	}
	return s.report, nil
}

func (s *system) GetStatus(context.Context, *feedbackv1.GetStatusRequest) (*feedbackv1.GetStatusResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &feedbackv1.GetStatusResponse{Now: timestamppb.New(noon), IntakePending: uint64(s.pending)}
	s.pending = max(s.pending-1, 0)
	return out, nil
}

func (s *system) Replay(req *auditv1.ReplayRequest, stream grpc.ServerStreamingServer[auditv1.StoredRecord]) error {
	s.ask(req)
	for _, r := range s.records {
		if err := stream.Send(r); err != nil {
			return err
		}
	}
	return nil
}

func (s *system) ListSources(context.Context, *intakev1.ListSourcesRequest) (*intakev1.ListSourcesResponse, error) {
	return &intakev1.ListSourcesResponse{Sources: []*intakev1.Source{{SourceId: "src1", Name: "web"}, {SourceId: "src2", Name: "crm", Signed: true, Token: true}}}, nil
}

func TestAgreementLife(t *testing.T) {
	s := &system{}
	serve(t, s)
	keys, document := starterDocument(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "agreement.yaml")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	for party, key := range keys {
		if err := writeKey(keyPath(dir, party), key); err != nil {
			t.Fatal(err)
		}
	}
	has(t, ok(t, "agreement", "list"), "No agreement has been proposed yet")

	digest := sha256.Sum256(document)
	has(t, ok(t, "agreement", "propose", file), "Version 1 is on the table", hex.EncodeToString(digest[:]), "baton agreement sign 1 --as sales --key sales.key")
	proposed := last[*agreementv1.ProposeRequest](t, s)
	if !bytes.Equal(proposed.GetDocument(), document) || proposed.GetIdempotencyKey() != hex.EncodeToString(digest[:]) {
		t.Error("another document was proposed, or under another key")
	}

	// The other party's key does not sign.
	r := run(t, "agreement", "sign", "1", "--as", "marketing", "--key", keyPath(dir, "sales"))
	if r.status != statusRefused {
		t.Errorf("status %d", r.status)
	}
	has(t, r.err, "the document names another key for marketing", "nothing was signed")

	has(t, ok(t, "agreement", "sign", "1", "--as", "marketing", "--key", keyPath(dir, "marketing")),
		"Signing for marketing: version 1", hex.EncodeToString(digest[:]), "Signed. It is a draft that nothing uses. It waits for the signature of sales.")
	has(t, ok(t, "agreement", "sign", "1", "--as", "sales", "--key", keyPath(dir, "sales")), "It is in force since 2026-04-03T12:01:00Z.")
	signed := last[*agreementv1.SignRequest](t, s)
	if !ed25519.Verify(publicKey(keys["sales"]), append([]byte("baton agreement v1\n"), digest[:]...), signed.GetSignature()) {
		t.Error("the signature is not over the agreed text")
	}

	has(t, ok(t, "agreement", "list"), "VERSION", "marketing, sales", "2026-04-03T12:01:00Z", "in force")
	has(t, ok(t, "agreement", "show"), "signed for sales", "It is in force since", string(document[:100]))
	var shown map[string]any
	if err := json.Unmarshal([]byte(ok(t, "agreement", "show", "1", "--format", "json")), &shown); err != nil {
		t.Fatal(err)
	}
	if shown["document"] != string(document) || shown["digest"] != hex.EncodeToString(digest[:]) || shown["in_force"] != true {
		t.Errorf("got %v", shown)
	}
	r = run(t, "agreement", "show", "7")
	if r.status != statusRefused || r.err != "baton: there is no version 7 of the agreement\n" {
		t.Errorf("got %+v", r)
	}
}

func TestSignRefusesAnotherDocument(t *testing.T) {
	keys, document := starterDocument(t)
	digest := sha256.Sum256(document)
	s := &system{agreements: []*agreementv1.Agreement{
		{Version: 1, Digest: digest[:], Document: append(slices.Clone(document), '\n')},
		{Version: 2, Digest: digest[:], Document: []byte("baton: 1\n")},
	}}
	other := sha256.Sum256(s.agreements[1].GetDocument())
	s.agreements[1].Digest = other[:]
	serve(t, s)
	key := filepath.Join(t.TempDir(), "sales.key")
	if err := writeKey(key, keys[agreement.Sales]); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{"1": "is not the one that its digest names; nothing was signed", "2": "does not understand version 2"} {
		r := run(t, "agreement", "sign", version, "--as", "sales", "--key", key)
		if r.status != statusRefused {
			t.Errorf("version %s: status %d", version, r.status)
		}
		has(t, r.err, want)
	}
	for _, m := range s.asked {
		if _, is := m.(*agreementv1.SignRequest); is {
			t.Error("it was signed all the same")
		}
	}
}

func someLeads() []*leadv1.Lead {
	return []*leadv1.Lead{
		{
			LeadId: "lone", State: leadv1.State_STATE_OFFERED, Stage: leadv1.Stage_STAGE_MQL, Source: "web", ReceivedAt: at(0), OfferedTo: "ana", TakeBy: at(60), Pool: "inside", Offers: 2,
			Features:       &leadv1.Features{Country: "DE", Employees: 1200, Attribution: &leadv1.Attribution{Source: "news", Campaign: "spring"}},
			Personal:       &leadv1.PersonalData{Email: "eve@firm.example", Name: "Eve \x1b[2J\u202eEvil", Message: "two\nlines"},
			RoutingSummary: "ana is next.", Considered: []*leadv1.Candidate{{Member: "ana", Eligible: true, Load: 3, Capacity: 20, Weight: 1}, {Member: "ben", Reason: "away", Text: "ben is away"}},
		},
		{LeadId: "ltwo", State: leadv1.State_STATE_WAITING, Source: "crm", Signed: true, ReceivedAt: at(1), BlockedBy: "off-duty", BlockedText: "nobody is on duty"},
		{LeadId: "lthree", State: leadv1.State_STATE_WON, Source: "crm", Signed: true, ReceivedAt: at(2), Owner: "ben"},
	}
}

func TestLeadCommands(t *testing.T) {
	s := &system{leads: someLeads()}
	serve(t, s)

	list := ok(t, "lead", "list", "--state", "waiting", "--member", "ana")
	has(t, list, "LEAD", "lone", "offered", "MQL", "ana (offered)", "taken by 2026-04-03T13:00:00Z", "ltwo", "working hours", "lthree")
	if req := last[*leadv1.ListLeadsRequest](t, s); req.GetState() != leadv1.State_STATE_WAITING || req.GetMember() != "ana" {
		t.Errorf("asked %v", req)
	}
	if some := ok(t, "lead", "list", "--limit", "1"); strings.Contains(some, "ltwo") || !strings.Contains(some, "There are more") {
		t.Errorf("--limit 1 gave\n%s", some)
	}
	var listed struct {
		Leads []struct {
			LeadID string `json:"lead_id"`
		} `json:"leads"`
	}
	if err := json.Unmarshal([]byte(ok(t, "lead", "list", "--limit", "0", "--format", "json")), &listed); err != nil || len(listed.Leads) != 3 || listed.Leads[2].LeadID != "lthree" {
		t.Errorf("got %v, %v", listed, err)
	}

	shown := ok(t, "lead", "show", "lone", "--as-of", "2026-04-03")
	has(t, shown, "offered to  ana, to be taken by 2026-04-03T13:00:00Z", "source      web (unsigned: anybody could have sent it)", "employees   1,200", "came by     news / spring", "eve@firm.example", "two lines")
	if strings.ContainsAny(shown, "\x1b\u202e") {
		t.Errorf("what somebody typed reached the terminal as it was: %q", shown)
	}
	if req := last[*leadv1.GetLeadRequest](t, s); !req.GetAsOf().AsTime().Equal(time.Date(2026, 4, 3, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("asked %v", req)
	}
	var one map[string]any
	if err := json.Unmarshal([]byte(ok(t, "lead", "show", "lone", "--format", "json")), &one); err != nil || one["lead_id"] != "lone" || one["state"] != "STATE_OFFERED" || one["owner"] != "" {
		t.Errorf("got %v, %v", one, err)
	}
	// The beginning of an id is enough, as a page shows it; of several it is said which.
	for _, short := range []string{"lo", "lon…", "ltw..."} {
		if got := ok(t, "lead", "show", short); !strings.Contains(got, "lead ") {
			t.Errorf("%s shows %q", short, got)
		}
	}
	if r := run(t, "lead", "show", "lt"); r.status == 0 || !strings.Contains(r.err, "several leads begin with lt: ltwo, lthree; write as much as only one has") {
		t.Errorf("got %+v", r)
	}
	ok(t, "lead", "list", "--member", "ana", "--as-of", "2026-04-03")
	if req := last[*leadv1.ListLeadsRequest](t, s); !req.GetAsOf().AsTime().Equal(time.Date(2026, 4, 3, 0, 0, 0, 0, time.UTC)) || req.GetMember() != "ana" {
		t.Errorf("asked %v", req)
	}
	if r := run(t, "lead", "show", "lnone"); r.status != statusRefused || r.err != "baton: there is no lead lnone\n" || r.out != "" {
		t.Errorf("got %+v", r)
	}

	has(t, ok(t, "lead", "history", "lone"), "7    2026-04-03T12:00:00Z  service:intake  Received from web.")
	has(t, ok(t, "lead", "history", "lone", "--format", "json"), `"source": "web"`, `"lead_id": "lone"`)
	has(t, ok(t, "lead", "explain", "lone"), "Lead lone is offered.", "MQL by agreement 2, profile 3, persona head", "Matches the profile.",
		"Can be reached        lead.has_email = yes  yes   must", "lead.employees >= 20", "4, needed: 3", "missing: the industry", "ana is next.", "3 of 20", "ben is away")
	has(t, ok(t, "lead", "explain", "lone", "--format", "json"), `"decisions": [`, `"summary": "ana is next."`, `"state": "offered"`)
	has(t, ok(t, "lead", "owner", "lone"), "ana has it.")
	has(t, ok(t, "queue", "--pool", "inside"), "lone", "working hours", "2026-04-03T13:00:00Z", "ltwo", "free capacity")
	has(t, ok(t, "source", "list"), "web     takes leads  -     unsigned  no", "crm     takes leads  -     signed    yes")
}

func TestWhatPeopleDo(t *testing.T) {
	_, document := starterDocument(t)
	s := &system{agreements: []*agreementv1.Agreement{{Version: 1, Document: document, InForce: true}}}
	serve(t, s)

	has(t, ok(t, "lead", "accept", "lone"), "lone is yours (event 9).")
	if req := last[*routingv1.AcceptRequest](t, s); req.GetLeadId() != "lone" || req.GetIdempotencyKey() == "" {
		t.Errorf("asked %v", req)
	}
	has(t, ok(t, "lead", "reject", "lone", "--reason", "no-budget", "--note", "later", "--idempotency-key", "k1"), "It goes back to marketing.")
	if diff := cmp.Diff(&routingv1.RejectRequest{LeadId: "lone", Reason: "no-budget", Note: "later", IdempotencyKey: "k1"}, last[*routingv1.RejectRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}

	// A confirmed fit says that the person was reached.
	ok(t, "lead", "call", "lone", "--fit", "--horizon", "0", "--note", "soon", "--at", "2026-04-03T14:00:00+02:00", "--idempotency-key", "k2")
	zero := int64(0)
	want := &qualificationv1.RecordCallRequest{LeadId: "lone", IdempotencyKey: "k2", Reached: true, FitConfirmed: true, HorizonMonths: &zero, Note: "soon", OccurredAt: at(0)}
	if diff := cmp.Diff(want, last[*qualificationv1.RecordCallRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	ok(t, "lead", "call", "lone", "--idempotency-key", "k3")
	if diff := cmp.Diff(&qualificationv1.RecordCallRequest{LeadId: "lone", IdempotencyKey: "k3"}, last[*qualificationv1.RecordCallRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error("nobody was reached: ", diff)
	}
	r := run(t, "lead", "call", "lone", "--answer", "colour=red")
	if r.status != statusUsage {
		t.Errorf("status %d", r.status)
	}
	has(t, r.err, "--answer colour: there is no such question; the agreement asks")

	ok(t, "lead", "outcome", "lone", "--kind", "won", "--value", "1200.5", "--currency", "EUR", "--idempotency-key", "k4")
	if diff := cmp.Diff(&feedbackv1.RecordOutcomeRequest{LeadId: "lone", IdempotencyKey: "k4", Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, ValueMinor: 120050, Currency: "EUR"}, last[*feedbackv1.RecordOutcomeRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	ok(t, "lead", "outcome", "lone", "--kind", "touch", "--channel", "call")
	first := last[*feedbackv1.RecordOutcomeRequest](t, s).GetIdempotencyKey()
	ok(t, "lead", "outcome", "lone", "--kind", "touch", "--channel", "call")
	if second := last[*feedbackv1.RecordOutcomeRequest](t, s).GetIdempotencyKey(); first == second || first == "" {
		t.Errorf("two calls have the keys %q and %q", first, second)
	}
}

func TestAnswerTo(t *testing.T) {
	questions := []agreement.Question{
		{ID: "budget", Type: "number", Scale: 2},
		{ID: "demo", Type: "flag"},
		{ID: "start", Type: "text", Values: []string{"now", "later"}},
	}
	for _, c := range []struct {
		id, text string
		want     *leadv1.Value
		why      string
	}{
		{"budget", "12.5", &leadv1.Value{Kind: &leadv1.Value_Number{Number: 1250}}, ""},
		{"budget", "much", nil, "no number with at most 2 decimals"},
		{"demo", "yes", &leadv1.Value{Kind: &leadv1.Value_Flag{Flag: true}}, ""},
		{"demo", "perhaps", nil, "neither yes nor no"},
		{"start", "Now", &leadv1.Value{Kind: &leadv1.Value_Text{Text: "now"}}, ""},
		{"start", "soon", nil, "use one of now, later"},
		{"colour", "red", nil, "the agreement asks budget, demo, start"},
	} {
		v, why := answerTo(questions, c.id, c.text)
		if diff := cmp.Diff(c.want, v, protocmp.Transform()); diff != "" || (c.why == "") != (why == "") || !strings.Contains(why, c.why) {
			t.Errorf("%s=%s: %q %s", c.id, c.text, why, diff)
		}
	}
}

func TestPeopleCommands(t *testing.T) {
	s := &system{}
	serve(t, s)
	has(t, ok(t, "people", "list"), "ana     Ana \ufffd[31mLima  sales, qualifier  on duty                          3 of 20     inside 5, large 1", "away until 2026-04-03T13:00:00Z")
	added := ok(t, "people", "add", "ana", "--role", "sales,qualifier", "--role", "manager", "--name", "Ana Lima", "--email", "ana@firm.example", "--idempotency-key", "k")
	has(t, added, "ana is known now, as sales, qualifier, manager.", "baton_shown_once")
	if diff := cmp.Diff(&routingv1.AddMemberRequest{Member: "ana", Roles: []string{"sales", "qualifier", "manager"}, Name: "Ana Lima", Email: "ana@firm.example", IdempotencyKey: "k"}, last[*routingv1.AddMemberRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if r := run(t, "people", "add", "Ana Lima", "--role", "sales"); r.status != statusRefused || !strings.Contains(r.err, "member") {
		t.Errorf("a handle that is none: %+v", r)
	}
	has(t, ok(t, "people", "away", "ana", "--until", "2026-04-03T15:00:00+02:00", "--reason", "dentist", "--idempotency-key", "k"), "ana: away until 2026-04-03T13:00:00Z, 1 open lead")
	if diff := cmp.Diff(&routingv1.SetAvailabilityRequest{Member: "ana", Away: true, Until: at(60), Reason: "dentist", IdempotencyKey: "k"}, last[*routingv1.SetAvailabilityRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	ok(t, "people", "away", "ana", "--from", "2026-04-03T14:00:00+02:00", "--until", "2026-04-03T15:00:00+02:00", "--idempotency-key", "k")
	if diff := cmp.Diff(&routingv1.SetAvailabilityRequest{Member: "ana", Away: true, From: at(0), Until: at(60), IdempotencyKey: "k"}, last[*routingv1.SetAvailabilityRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if r := run(t, "people", "away", "ana", "--from", "2026-04-03", "--until", "2026-04-03"); r.status != statusUsage || !strings.Contains(r.err, "--until must lie after --from") {
		t.Errorf("leave that ends as it begins: %+v", r)
	}
	has(t, ok(t, "people", "back", "ana", "--leave", "a1", "--idempotency-key", "k"), "ana: on duty, 1 open lead")
	if diff := cmp.Diff(&routingv1.SetAvailabilityRequest{Member: "ana", LeaveId: "a1", IdempotencyKey: "k"}, last[*routingv1.SetAvailabilityRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	has(t, ok(t, "people", "in", "--idempotency-key", "k"), "ana: on duty, signed in, 1 open lead")
	if diff := cmp.Diff(&routingv1.SetPresenceRequest{Present: true, IdempotencyKey: "k"}, last[*routingv1.SetPresenceRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	has(t, ok(t, "people", "out", "ana", "--idempotency-key", "k"), "ana: on duty, 1 open lead")
	if diff := cmp.Diff(&routingv1.SetPresenceRequest{Member: "ana", IdempotencyKey: "k"}, last[*routingv1.SetPresenceRequest](t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	has(t, ok(t, "people", "leaves"), "ben     2026-04-03T12:00:00Z  2026-04-03T13:00:00Z  dentist  a1", "ben     2026-04-03T14:00:00Z  -                     -        a2")
	has(t, ok(t, "people", "leaves", "ana"), "Nobody is away")
	has(t, ok(t, "people", "token", "ana", "--idempotency-key", "k2"), "ana has another token", "baton_shown_once_more")
	if req := last[*routingv1.RenewTokenRequest](t, s); req.GetMember() != "ana" || req.GetIdempotencyKey() != "k2" {
		t.Errorf("asked %v", req)
	}
	has(t, ok(t, "people", "back", "ana"), "ana: on duty, 1 open lead")
	has(t, ok(t, "people", "deactivate", "dan", "--reason", "left"), "dan: deactivated, 0 open leads")
	if req := last[*routingv1.DeactivateMemberRequest](t, s); req.GetReason() != "left" || req.GetMember() != "dan" {
		t.Errorf("asked %v", req)
	}
}

func TestWhoAsks(t *testing.T) {
	serve(t, &system{leads: someLeads()})
	ok(t, "lead", "list") // the data directory's token
	r := run(t, "lead", "list", "--token", access.NewToken())
	if r.status != statusRefused || !strings.HasPrefix(r.err, "baton: ") || r.out != "" {
		t.Errorf("a token that nobody has: %+v", r)
	}
	t.Setenv(envToken, access.NewToken())
	if again := run(t, "lead", "list"); again != r {
		t.Errorf("the same token by the environment: %+v; want %+v", again, r)
	}
	t.Setenv(envToken, "")
	data := os.Getenv(envData)
	keys := filepath.Join(data, "keys")
	if err := os.Mkdir(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(data, access.AdminTokenFile), filepath.Join(keys, access.AdminTokenFile)); err != nil {
		t.Fatal(err)
	}
	ok(t, "lead", "list")
	t.Setenv(envData, t.TempDir())
	ok(t, "lead", "list", "--data", data)
	if r := run(t, "lead", "list"); r.status != statusRefused || !strings.Contains(r.err, "no token says who asks") {
		t.Errorf("no token: %+v", r)
	}
}

func TestTokensTravelUnderTLS(t *testing.T) {
	for host, want := range map[string]bool{"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "10.0.0.1": false, "baton": false, "": false, "localhost.example": false} {
		if got := isLoopback(host); got != want {
			t.Errorf("isLoopback(%q) = %v", host, got)
		}
	}
	// A server without TLS that is not this machine never sees the token.
	var got []byte
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		buf := make([]byte, 4096)
		n, _ := conn.Read(buf)
		got = buf[:n]
		conn.Close()
		ln.Close()
	}()
	t.Setenv(envToken, "baton_secret")
	// 0.0.0.0 reaches this machine and is no loopback address.
	r := run(t, "lead", "list", "--server", net.JoinHostPort("0.0.0.0", port))
	<-heard
	if r.status != statusRefused {
		t.Errorf("status %d", r.status)
	}
	const handshake = 22 // the first byte of TLS
	if len(got) == 0 || got[0] != handshake || bytes.Contains(got, []byte("baton_secret")) {
		t.Errorf("the server heard %q", got)
	}
}

func TestStoppedIsSaid(t *testing.T) {
	serve(t, &system{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := runContext(ctx, "lead", "list"); r.status != statusRefused || r.err != "baton: stopped\n" {
		t.Errorf("got %+v", r)
	}
}
