package console

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
)

// Tokens of the fixed system. Neither may ever reach a page.
const (
	anaToken = "baton_canary_ana_4711"
	benToken = "baton_canary_ben_4712"
	cloToken = "baton_canary_clo_marketing"
	maxToken = "baton_canary_max_manager"
)

var tokens = map[string]access.Actor{
	anaToken: {Handle: "ana", Roles: []string{"sales", "qualifier"}},
	benToken: {Handle: "ben", Roles: []string{"sales"}},
	cloToken: {Handle: "clo", Roles: []string{"marketing"}},
	maxToken: {Handle: "max", Roles: []string{"manager"}},
}

// Leads of the fixed system.
const (
	offeredLead  = "lk3v7q2mza5hx4wnbt6ycd"
	acceptedLead = "lb9s0d8fuvn2kq7pjr3mxe"
	waitingLead  = "lz1x2c3v4b5n6m7a8s9d0f"
	claimLead    = "lc4v5b6n7m8q9w0e1r2t3y"
)

// at is the fixed system's present.
var at = time.Date(2026, 3, 4, 10, 15, 30, 0, time.UTC)

func ago(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(at.Add(-d)) }

// fixed is a system that always answers the same: the real calls over a real
// connection, with answers that a test can look for.
type fixed struct {
	leadv1.UnimplementedLeadServiceServer
	feedbackv1.UnimplementedReportServiceServer
	feedbackv1.UnimplementedFeedbackServiceServer
	qualificationv1.UnimplementedQualificationServiceServer
	routingv1.UnimplementedRoutingServiceServer
	agreementv1.UnimplementedAgreementServiceServer
	intakev1.UnimplementedIntakeServiceServer

	mu sync.Mutex
	// log is every event; more wakes who watches.
	log  []*leadv1.HistoryEntry
	more chan struct{}
	// asked are the requests for reports, watches and acts, as they came.
	reports []*feedbackv1.GetReportRequest
	counted []*feedbackv1.ListReportLeadsRequest
	watches []uint64
	accepts []*routingv1.AcceptRequest
	rejects []*routingv1.RejectRequest
	// hands are the requests of who moves leads and of the people about themselves.
	hands []proto.Message
	calls []*qualificationv1.RecordCallRequest
	lists []*leadv1.ListLeadsRequest
	// read are the versions that somebody has read.
	read []int64
	// ledgers are the requests for the ledger of intake; odd makes its sums not hold.
	ledgers []*intakev1.GetIntakeLedgerRequest
	odd     bool
	// refuse answers an error for a method, by its last word.
	refuse   map[string]error
	empty    bool
	readOnly string
	// decided are the cases that were decided.
	decided map[string]bool
	// baseline is the agreed one; nil = none is.
	baseline *timestamppb.Timestamp
	// withdrawn are tokens that the services no longer take, left those that the
	// directory no longer knows.
	withdrawn, left map[string]bool
}

func newFixed() *fixed {
	f := &fixed{more: make(chan struct{}), refuse: map[string]error{}, withdrawn: map[string]bool{}, left: map[string]bool{}}
	for _, e := range []*leadv1.HistoryEntry{
		{Type: "baton.lead.v1.LeadReceived", LeadId: offeredLead, OccurredAt: ago(26 * time.Minute), RecordedAt: ago(26 * time.Minute), Actor: "door web", Service: "intake", Sentence: "A lead came in through web, unsigned."},
		{Type: "baton.lead.v1.PersonAttached", LeadId: offeredLead, OccurredAt: ago(26 * time.Minute), RecordedAt: ago(26 * time.Minute), Service: "intake", Sentence: "It belongs to a person who is new here."},
		{Type: "baton.lead.v1.LeadQualified", LeadId: offeredLead, OccurredAt: ago(25 * time.Minute), RecordedAt: ago(25 * time.Minute), Service: "qualification", AgreementVersion: "2", LogicVersion: "q1", Basis: 1180, Sentence: "Qualified as MQL: the company fits and the person decides."},
		{Type: "baton.lead.v1.LeadOffered", LeadId: offeredLead, OccurredAt: ago(24 * time.Minute), RecordedAt: ago(24 * time.Minute), Service: "routing", AgreementVersion: "2", LogicVersion: "r1", Basis: 1181, TraceId: "4bf92f3577b34da6a3ce929d0e0e4736", Sentence: "Offered to ben, who let the clock run out the last time it was his turn: it is his turn 41 in the pool north."},
		{Type: "baton.routing.v1.PoolAdvanced", OccurredAt: ago(24 * time.Minute), RecordedAt: ago(24 * time.Minute), Service: "routing", Sentence: "The pool group main gave 1 lead away."},
		{Type: "baton.lead.v1.OfferTimedOut", LeadId: offeredLead, OccurredAt: ago(9 * time.Minute), RecordedAt: ago(4 * time.Minute), Service: "routing", Sentence: "ben's clock ran out."},
		{Type: "baton.lead.v1.LeadOffered", LeadId: offeredLead, OccurredAt: ago(4 * time.Minute), RecordedAt: ago(4 * time.Minute), Service: "routing", AgreementVersion: "2", LogicVersion: "r1", Basis: 1186, Sentence: "Offered to ana, next in turn in the pool north."},
		{Type: "baton.lead.v1.OfferAccepted", LeadId: acceptedLead, OccurredAt: ago(3 * time.Minute), RecordedAt: ago(3 * time.Minute), Actor: "ben", Service: "routing", Sentence: "ben took the lead <b>at once</b>."},
		{Type: "baton.lead.v1.LeadQueued", LeadId: waitingLead, OccurredAt: ago(time.Minute), RecordedAt: ago(time.Minute), Service: "routing", Sentence: "Nobody can take it: everybody in the pool south is away."},
	} {
		f.append(e)
	}
	return f
}

// append gives an event the next place in the log.
func (f *fixed) append(e *leadv1.HistoryEntry) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.Sequence = uint64(len(f.log)) + 1
	f.log = append(f.log, e)
	close(f.more)
	f.more = make(chan struct{})
	return e.Sequence
}

func happening(lead, sentence string) *leadv1.HistoryEntry {
	return &leadv1.HistoryEntry{
		Type: "baton.lead.v1.OutcomeRecorded", LeadId: lead, OccurredAt: ago(0), RecordedAt: ago(0), Actor: "ben", Service: "feedback", Sentence: sentence,
	}
}

// guard lets in who has a token, and refuses what a test wants refused.
func (f *fixed) guard(ctx context.Context, method string) error {
	md, _ := metadata.FromIncomingContext(ctx)
	token, ok := strings.CutPrefix(strings.Join(md.Get("authorization"), ","), "Bearer ")
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := tokens[token]; !ok || !known || f.withdrawn[token] {
		return status.Error(codes.Unauthenticated, "this call needs a valid token")
	}
	return f.refuse[method[strings.LastIndexByte(method, '/')+1:]]
}

func reader(ctx context.Context) access.Actor {
	md, _ := metadata.FromIncomingContext(ctx)
	return tokens[strings.TrimPrefix(strings.Join(md.Get("authorization"), ""), "Bearer ")]
}

// serve answers a connection to the fixed system.
func (f *fixed) serve(t testing.TB) grpc.ClientConnInterface {
	t.Helper()
	pipe := bufconn.Listen(1 << 20)
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := f.guard(ctx, info.FullMethod); err != nil {
				return nil, err
			}
			return next(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if err := f.guard(stream.Context(), info.FullMethod); err != nil {
				return err
			}
			return next(srv, stream)
		}),
	)
	leadv1.RegisterLeadServiceServer(server, f)
	feedbackv1.RegisterReportServiceServer(server, f)
	feedbackv1.RegisterFeedbackServiceServer(server, f)
	qualificationv1.RegisterQualificationServiceServer(server, f)
	routingv1.RegisterRoutingServiceServer(server, f)
	agreementv1.RegisterAgreementServiceServer(server, f)
	intakev1.RegisterIntakeServiceServer(server, f)
	served := make(chan error, 1)
	go func() { served <- server.Serve(pipe) }()
	conn, err := grpc.NewClient("passthrough:///fixed", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("fixed system: %v", err)
		}
	})
	return conn
}

// Lookup makes the fixed system its own directory.
func (f *fixed) Lookup(hash [32]byte) (access.Actor, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for token, actor := range tokens {
		if access.HashToken(token) == hash {
			return actor, !f.left[token]
		}
	}
	return access.Actor{}, false
}

func (f *fixed) GetStatus(context.Context, *feedbackv1.GetStatusRequest) (*feedbackv1.GetStatusResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := uint64(len(f.log))
	if f.empty {
		return &feedbackv1.GetStatusResponse{Now: timestamppb.New(at)}, nil
	}
	return &feedbackv1.GetStatusResponse{
		LedgerSequence: last, ReadSequence: last - 5, IntakePending: 37, IntakeOldestMs: 12_400,
		QualificationPending: 3, RoutingPending: 8, ReadOnly: f.readOnly, Now: timestamppb.New(at),
	}, nil
}

var funnelColumns = []*feedbackv1.Column{
	{Name: "received", Unit: "leads", Listed: true, Formula: "Leads that came in and were kept."},
	{Name: "refused", Unit: "leads", Formula: "Leads refused at the door as spam or test."},
	{Name: "duplicates", Unit: "deliveries", Formula: "Deliveries that repeated a submission."},
	{Name: "mql", Unit: "leads", Formula: "Leads that ever reached MQL."},
	{Name: "sal", Unit: "leads", Formula: "Leads that ever reached SAL."},
	{Name: "sql", Unit: "leads", Formula: "Leads that ever reached SQL."},
	{Name: "offered", Unit: "leads", Formula: "Leads that were ever offered."},
	{Name: "accepted", Unit: "leads", Formula: "Leads that were ever accepted."},
	{Name: "rejected", Unit: "leads", Formula: "Leads that were ever rejected."},
	{Name: "won", Unit: "leads", Formula: "Leads whose deal was won."},
	{Name: "lost", Unit: "leads", Formula: "Leads whose deal was lost."},
	{Name: "open", Unit: "leads", Formula: "Leads on which work goes on."},
	{Name: "mql_rate", Unit: "ratio", Formula: "mql divided by received."},
	{Name: "mql_rate_low", Unit: "ratio", Formula: "Lower end of the 95 % interval."},
	{Name: "mql_rate_high", Unit: "ratio", Formula: "Upper end of the 95 % interval."},
	{Name: "win_rate", Unit: "ratio", Formula: "won divided by won and lost."},
}

var responseColumns = []*feedbackv1.Column{
	{Name: "up_to_1h", Unit: "leads", Formula: "First touch within an hour of the offer."},
	{Name: "up_to_1h_share", Unit: "ratio", Formula: "up_to_1h divided by leads."},
	{Name: "from_1h_to_24h", Unit: "leads", Formula: "First touch after 1 hour and within 24."},
	{Name: "over_24h", Unit: "leads", Formula: "First touch after more than 24 hours."},
	{Name: "never", Unit: "leads", Formula: "No touch within the horizon."},
	{Name: "mean_seconds", Unit: "seconds", Formula: "Mean time to the first touch among the answered."},
	{Name: "median_seconds", Unit: "seconds", Formula: "Median time to the first touch among the answered."},
}

func rowFrom(key string, cols []*feedbackv1.Column, values ...float64) *feedbackv1.ReportRow {
	row := &feedbackv1.ReportRow{Key: key}
	for i, c := range cols {
		f := &feedbackv1.Figure{Name: c.GetName()}
		if i < len(values) {
			f.Value = values[i]
		} else {
			f.Unknown = true
		}
		row.Figures = append(row.Figures, f)
	}
	return row
}

func (f *fixed) ListReportLeads(_ context.Context, ask *feedbackv1.ListReportLeadsRequest) (*feedbackv1.ListReportLeadsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counted = append(f.counted, ask)
	out := &feedbackv1.ListReportLeadsResponse{Leads: []*feedbackv1.CountedLead{
		{LeadId: acceptedLead, State: "accepted", ReceivedAt: ago(2 * time.Hour), Owner: "ana", Value: 1},
		{LeadId: waitingLead, State: "waiting", ReceivedAt: ago(3 * time.Hour), Value: 1},
	}}
	if ask.GetPageToken() == "" {
		out.NextPageToken = waitingLead
	}
	return out, nil
}

func (f *fixed) GetReport(_ context.Context, ask *feedbackv1.GetReportRequest) (*feedbackv1.Report, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reports = append(f.reports, ask)
	out := &feedbackv1.Report{
		Report: ask.GetReport(), AsOf: timestamppb.New(at), From: ask.GetFrom(), To: ask.GetTo(), Definition: ask.GetDefinition(),
		Sequence: 1184, Population: "All leads that were received live; imported history is left out.",
	}
	out.Baseline, out.AtBaseline = f.baseline, f.baseline != nil && ask.GetFrom() == nil && !ask.GetEarlier()
	today := ask.GetFrom() != nil
	switch ask.GetReport() {
	case "funnel":
		out.Columns = funnelColumns
		switch {
		case f.empty:
			out.Total = rowFrom("total", funnelColumns, make([]float64, 12)...)
		case today:
			out.Total = rowFrom("total", funnelColumns, 214, 9, 17, 121, 33, 18, 118, 96, 14, 5, 3, 187, 0.5654, 0.4984, 0.6301)
		default:
			out.Total = rowFrom("total", funnelColumns, 8812, 341, 702, 4903, 1310, 755, 4850, 4211, 512, 301, 266, 3994, 0.5564, 0.5460, 0.5668, 0.5309)
		}
		if ask.GetBy() == "campaign" && !f.empty {
			out.Rows = append(out.Rows, rowFrom("(none)", funnelColumns, 12), rowFrom("autumn&fair", funnelColumns, 8800))
		}
		if ask.GetBy() == "source" && !f.empty {
			out.Rows = append(out.Rows, rowFrom("web", funnelColumns, 6100, 300, 600, 3500, 900, 500, 3400, 3000, 400, 200, 180, 2800, 0.5738, 0.5613, 0.5861, 0.5263),
				rowFrom("autumn-fair-2025", funnelColumns, 2712, 41, 102, 1403, 410, 255, 1450, 1211, 112, 101, 86, 1194, 0.5173, 0.4985, 0.5361, 0.5401))
		}
	case "effect":
		out.Columns = []*feedbackv1.Column{{Name: "opportunities", Unit: "leads", Formula: "leads that reached the stage SQL"}}
		out.Total = rowFrom("total", out.Columns, 61)
	case "response":
		out.Columns = responseColumns
		switch {
		case f.empty:
			out.Total = rowFrom("total", responseColumns, 0, 0, 0, 0, 0)
		case today:
			out.Total = rowFrom("total", responseColumns, 58, 0.4915, 23, 0, 37, 2711, 1320)
		default:
			out.Total = rowFrom("total", responseColumns, 2604, 0.537, 1288, 407, 551, 21_930, 4_335)
		}
	case "definitions":
		out.Columns = []*feedbackv1.Column{
			{Name: "leads", Unit: "leads", Formula: "leads that the version decided first"},
			{Name: "handoffs_per_sql", Unit: "number", Formula: "handoffs divided by sql"},
			{Name: "median_take_seconds", Unit: "seconds", Formula: "median of the seconds from the first offer to the first acceptance"},
		}
		one, two := rowFrom("1", out.Columns, 1310, 6.25, 4335), rowFrom("2", out.Columns, 704, 4.5, 1320)
		one.From, one.To, two.From = ago(40*24*time.Hour), ago(10*24*time.Hour), ago(10*24*time.Hour)
		out.Rows, out.Total = []*feedbackv1.ReportRow{one, two}, rowFrom("total", out.Columns, 2014, 5.4, 3000)
		out.Comparisons = []*feedbackv1.Comparison{{
			BeforeVersion: 1, AfterVersion: 2, At: two.GetFrom(), WindowSeconds: 10 * 24 * 3600,
			Before: rowFrom("1", out.Columns, 431, 6.5, 4400), After: rowFrom("2", out.Columns, 704, 4.5, 1320),
		}}
	case "fairness":
		out.Columns = []*feedbackv1.Column{
			{Name: "offered", Unit: "turns", Formula: "turns that were the person's"},
			{Name: "share", Unit: "number", Formula: "sum of the weights"},
			{Name: "by_override", Unit: "turns", Formula: "by hand"},
			{Name: "by_override_share", Unit: "ratio", Formula: "by_override divided by offered"},
		}
		out.Rows = []*feedbackv1.ReportRow{rowFrom("north/ana", out.Columns, 440, 250.5, 180, 0.409), rowFrom("north/ben", out.Columns, 160, 349.5, 0, 0)}
		out.Total = rowFrom("total", out.Columns, 600, 600, 180, 0.3)
		out.Findings = []*feedbackv1.Finding{
			{Pool: "north", Test: "share", Verdict: "not-explained", Member: "ana", Text: "Not explained by who was there: ana got 189.5 turns more than their share."},
			{Pool: "north", Test: "good-leads", Verdict: "explained", Text: "Explained by who was there: the better leads went to all alike."},
		}
		if f.empty {
			out.Rows, out.Findings, out.Total = nil, nil, rowFrom("total", out.Columns, 0, 0, 0, 0)
		}
	case "second-chance":
		out.Columns = []*feedbackv1.Column{{Name: "declined", Unit: "leads", Formula: "leads declined"}, {Name: "value", Unit: "money", Formula: "value of the won deals"}}
		out.Rows, out.Total = []*feedbackv1.ReportRow{rowFrom("ana", out.Columns, 3, 1234.5)}, rowFrom("total", out.Columns, 3, 1234.5)
		out.Currency, out.NotListed = "EUR", 2
		out.SecondChances = []*feedbackv1.SecondChance{{
			LeadId: acceptedLead, Pool: "north", DeclinedBy: "ana", Reason: "no-budget", DeclinedAt: ago(time.Hour), TakenBy: "ben", TakenAt: ago(time.Minute),
			State: "won", ValueMinor: 123_450, Currency: "EUR",
		}}
	case "scoreboard":
		out.Columns = []*feedbackv1.Column{{Name: "follow_up_rate", Unit: "ratio", Formula: "followed_up divided by offered"}, {Name: "won_mean_days", Unit: "days", Formula: "mean of the days"}}
		out.Rows = []*feedbackv1.ReportRow{rowFrom("fair", out.Columns, 0.5, 3.25), rowFrom("web", out.Columns, 0.25, 4)}
		out.Rows[0].Cases, out.Rows[1].Cases = 29, 30
		out.Total, out.EventSet, out.Remarks = rowFrom("total", out.Columns, 0.3, 3.9), "log@1184", []string{"The fair is followed up twice as often."}
		out.Benchmarks = []*feedbackv1.Benchmark{{Name: "follow_up_rate", Value: 0.77, Source: "A study of 2,241 companies"}}
	case "load":
		out.Columns = []*feedbackv1.Column{{Name: "leads", Unit: "leads", Formula: "leads that the person has had"}}
		out.Rows, out.Total = []*feedbackv1.ReportRow{rowFrom("ana", out.Columns, 3), rowFrom("ben", out.Columns, 0)}, rowFrom("total", out.Columns, 3)
	default:
		return nil, status.Error(codes.NotFound, "there is no such report")
	}
	return out, nil
}

func (f *fixed) ListMetrics(context.Context, *feedbackv1.ListMetricsRequest) (*feedbackv1.ListMetricsResponse, error) {
	out := &feedbackv1.ListMetricsResponse{}
	for _, name := range []string{"funnel", "response", "definitions", "fairness", "second-chance", "load", "effect", "scoreboard"} {
		out.Reports = append(out.Reports, &feedbackv1.ReportInfo{Report: name, Text: "What " + name + " answers.", Dimensions: []string{"source", "own-of-" + name}})
	}
	out.Reports[len(out.Reports)-1].Cases = "lead"
	return out, nil
}

func (f *fixed) ListQueue(ctx context.Context, _ *routingv1.ListQueueRequest) (*routingv1.ListQueueResponse, error) {
	if f.empty {
		return &routingv1.ListQueueResponse{}, nil
	}
	return &routingv1.ListQueueResponse{Leads: []*routingv1.QueuedLead{
		{LeadId: waitingLead, Pool: "south", BlockedBy: "away", Since: ago(95 * time.Minute), LookAgainAt: timestamppb.New(at.Add(22 * time.Hour)), FallbackAt: timestamppb.New(at.Add(3 * time.Hour)), Text: "Nobody in pool South can take it now: 2 away."},
		{LeadId: claimLead, Pool: "south", BlockedBy: "claim", Since: ago(20 * time.Minute), Claimable: slices.Contains(reader(ctx).Roles, "sales")},
		{LeadId: "lq8w7e6r5t4y3u2i1o0pas", BlockedBy: "no-handoff", Since: ago(12 * time.Minute)},
	}, NextPageToken: "more"}, nil
}

func (f *fixed) ListMembers(ctx context.Context, _ *routingv1.ListMembersRequest) (*routingv1.ListMembersResponse, error) {
	if f.empty {
		return &routingv1.ListMembersResponse{}, nil
	}
	out := &routingv1.ListMembersResponse{Members: []*routingv1.Member{
		{Member: "ana", Roles: []string{"sales", "qualifier"}, Load: 7, Capacity: 20, OnDuty: true, Turns: map[string]int64{"north": 412, "south": 33}, Name: "Ana Lindqvist", Ahead: map[string]int64{"north": 620, "south": -1480}, Leaves: []*routingv1.Leave{{LeaveId: "a7", From: timestamppb.New(at.Add(48 * time.Hour)), Until: timestamppb.New(at.Add(96 * time.Hour)), Reason: "holiday"}}},
		{Member: "ben", Roles: []string{"sales"}, Load: 12, Capacity: 12, OnDuty: true, Turns: map[string]int64{"north": 411}},
		{Member: "cem", Roles: []string{"sales"}, Away: true, AwayUntil: timestamppb.New(at.Add(5 * 24 * time.Hour)), Capacity: 20, Load: 3, Turns: map[string]int64{"south": 205}, Leaves: []*routingv1.Leave{{From: ago(24 * time.Hour)}}},
		{Member: "dora", Roles: []string{"manager"}, Load: 0},
		{Member: "eli", Deactivated: true},
		{Member: "max", Roles: []string{"manager"}},
	}}
	if slices.Contains(reader(ctx).Roles, "marketing") {
		out.Members[0].Name = ""
	}
	return out, nil
}

func (f *fixed) WatchEvents(ask *leadv1.WatchEventsRequest, stream leadv1.LeadService_WatchEventsServer) error {
	f.mu.Lock()
	f.watches = append(f.watches, ask.GetFromSequence())
	next := ask.GetFromSequence()
	if next == 0 {
		next = uint64(len(f.log)) + 1
	}
	f.mu.Unlock()
	for {
		f.mu.Lock()
		var batch []*leadv1.HistoryEntry
		if next <= uint64(len(f.log)) {
			batch = slices.Clone(f.log[next-1:])
		}
		more := f.more
		f.mu.Unlock()
		for _, e := range batch {
			if err := stream.Send(e); err != nil {
				return err
			}
			next = e.GetSequence() + 1
		}
		select {
		case <-more:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

func explanation() *leadv1.Explanation {
	return &leadv1.Explanation{
		Summary: "The company fits the customer profile 2026-1 with 60 of 50 points, and the person matches the persona initiator.",
		Score:   &leadv1.Score{Model: 4, PerMille: 312, Base: -4200, Total: -3449, Parts: []*leadv1.ScorePart{{Field: "lead.country", Text: "Country", Value: "DE", Points: 751}}},
		Criteria: []*leadv1.Criterion{
			{Id: "size", Text: "At least 50 people work there", Condition: "lead.employees >= 50", Values: []*leadv1.NamedValue{{Name: "lead.employees", Value: "240"}}, Met: true, Must: true},
			{Id: "market", Text: "It is in a market that we serve", Condition: `lead.country in ["DE", "AT", "CH"]`, Values: []*leadv1.NamedValue{{Name: "lead.country", Value: "DE"}}, Met: true, Points: 40},
			{Id: "industry", Text: "It makes machines", Condition: `lead.industry == "machinery"`, Values: []*leadv1.NamedValue{{Name: "lead.industry", Value: "machinery"}}, Met: true, Points: 20},
			{Id: "budget", Text: "A budget is set", Condition: `answers.budget == "set"`, Values: []*leadv1.NamedValue{{Name: "answers.budget", Value: ""}}},
		},
		Points: 60, PointsNeeded: 50, Missing: []string{"whether a budget is set"},
	}
}

func (f *fixed) lead(ctx context.Context, id string) (*leadv1.Lead, bool) {
	l := &leadv1.Lead{
		LeadId: id, State: leadv1.State_STATE_OFFERED, Stage: leadv1.Stage_STAGE_MQL, Source: "web", ReceivedAt: ago(26 * time.Minute),
		PersonId: "p1", OfferedTo: "ana", TakeBy: timestamppb.New(at.Add(72 * time.Minute)), Pool: "north", AgreementVersion: 2, Offers: 2, Accountable: "Head of sales", AccountableVersion: 2, StageTitle: "Warm",
		Features: &leadv1.Features{
			Country: "DE", Employees: 1240, Industry: "machinery", Role: "head", Language: "de", HasEmail: true, HasPhone: true, HasCompany: true,
			ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTACT, Attribution: &leadv1.Attribution{Campaign: "spring-2026", Medium: "cpc", Source: "search"},
			Answers: map[string]*leadv1.Value{"seats": {Kind: &leadv1.Value_Number{Number: 1500}}, "trial": {Kind: &leadv1.Value_Flag{Flag: true}}},
		},
		Explanation: explanation(), RoutingSummary: "It goes to ana: ben let the clock run out, cem is away, and ana is next in turn.",
		Considered: []*leadv1.Candidate{
			{Member: "ana", Eligible: true, Text: "next in turn", Load: 7, Capacity: 20, Turns: 412, Weight: 2, WindowFrom: 820, WindowTo: 824},
			{Member: "ben", Reason: "timed-out", Text: "let this lead's clock run out", Load: 12, Capacity: 12, Turns: 411, Weight: 2},
			{Member: "cem", Reason: "away", Load: 3, Capacity: 20, Turns: 205, Weight: 1},
		},
		Sequence: 7, Touches: 1, FirstTouchAt: ago(20 * time.Minute),
	}
	switch id {
	case offeredLead:
	case acceptedLead:
		l.State, l.Stage, l.Owner, l.OfferedTo, l.TakeBy = leadv1.State_STATE_ACCEPTED, leadv1.Stage_STAGE_SQL, "ben", "", nil
	case waitingLead:
		l.State, l.OfferedTo, l.TakeBy, l.BlockedBy, l.BlockedText = leadv1.State_STATE_WAITING, "", nil, "away", "Everybody in the pool south is away."
	default:
		return nil, false
	}
	if slices.Contains(reader(ctx).Roles, "sales") {
		l.Personal = &leadv1.PersonalData{
			Name: "Zoë O'Neill", Email: "zoe@kettle.example", Phone: "+49 30 901820", Company: `Kettle & "Söhne" GmbH`, JobTitle: "Head of operations",
			Message: "Please call me.\n<script>alert(1)</script>", Other: []*leadv1.Answer{{Key: "heard_from", Value: "a colleague"}},
		}
	}
	return l, true
}

func (f *fixed) GetLead(ctx context.Context, ask *leadv1.GetLeadRequest) (*leadv1.Lead, error) {
	l, ok := f.lead(ctx, ask.GetLeadId())
	if !ok {
		return nil, status.Error(codes.NotFound, "there is no such lead: check the id")
	}
	return l, nil
}

func (f *fixed) GetHistory(_ context.Context, ask *leadv1.GetHistoryRequest) (*leadv1.GetHistoryResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &leadv1.GetHistoryResponse{}
	for _, e := range f.log {
		if e.GetLeadId() == ask.GetLeadId() {
			out.Entries = append(out.Entries, e)
		}
	}
	return out, nil
}

// ListNurturing answers one lead that is overdue and one that is not.
func (f *fixed) ListNurturing(_ context.Context, ask *leadv1.ListNurturingRequest) (*leadv1.ListNurturingResponse, error) {
	out := &leadv1.ListNurturingResponse{Now: timestamppb.New(at)}
	if f.empty {
		return out, nil
	}
	out.Overdue, out.DueThisWeek, out.DueLater = 1, 1, 1204
	for _, l := range []*leadv1.Lead{
		{LeadId: waitingLead, Nurture: &leadv1.Nurture{Reason: "rejected", Text: "Back to marketing: sales rejected it as <b>not-ready</b>.", Since: ago(40 * 24 * time.Hour), NextTouch: "invitation", NextTouchDue: ago(75 * time.Hour), RecheckAt: ago(-time.Hour), Due: ago(75 * time.Hour)}},
		{LeadId: acceptedLead, Nurture: &leadv1.Nurture{Reason: "profile", Since: ago(time.Hour), RecheckAt: ago(-26 * time.Hour), Due: ago(-26 * time.Hour)}},
	} {
		if !ask.GetOverdue() || !l.GetNurture().GetDue().AsTime().After(at) {
			out.Leads = append(out.Leads, l)
		}
	}
	if ask.GetPageToken() == "" && !ask.GetOverdue() {
		out.NextPageToken = "after=2&x"
	}
	return out, nil
}

func (f *fixed) ListLeads(ctx context.Context, ask *leadv1.ListLeadsRequest) (*leadv1.ListLeadsResponse, error) {
	f.mu.Lock()
	f.lists = append(f.lists, ask)
	f.mu.Unlock()
	out := &leadv1.ListLeadsResponse{}
	if f.empty {
		return out, nil
	}
	for _, id := range []string{offeredLead, acceptedLead, waitingLead} {
		l, _ := f.lead(ctx, id)
		if ask.GetState() == 0 || ask.GetState() == l.GetState() {
			out.Leads = append(out.Leads, l)
		}
	}
	if ask.GetPageToken() == "" {
		out.NextPageToken = "after=3&x"
	}
	return out, nil
}

func (f *fixed) GetQuestionnaire(context.Context, *qualificationv1.GetQuestionnaireRequest) (*qualificationv1.Questionnaire, error) {
	if f.empty {
		return &qualificationv1.Questionnaire{}, nil
	}
	return &qualificationv1.Questionnaire{
		Stage: leadv1.Stage_STAGE_MQL, StageTitle: "Kettle MQL", Version: "q7", Text: "First call.", AgreementVersion: 2, HorizonMonths: 6,
		Questions: []*qualificationv1.Question{
			{Id: "need", Text: "Which <kettle>?", Type: "text", Values: []string{"small", "large"}},
			{Id: "fits", Text: "Is it a customer?", Type: "flag", Decides: "fit"},
			{Id: "budget", Text: "How much?", Type: "number", Unit: "EUR", Scale: 2},
		},
	}, nil
}

func (f *fixed) RecordCall(_ context.Context, ask *qualificationv1.RecordCallRequest) (*qualificationv1.RecordCallResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, ask)
	if ask.GetNote() == "refuse" {
		return nil, status.Error(codes.FailedPrecondition, "a call cannot change that")
	}
	return &qualificationv1.RecordCallResponse{CallId: "c1", Sequence: 11}, nil
}

func (f *fixed) Explain(context.Context, *qualificationv1.ExplainRequest) (*qualificationv1.ExplainResponse, error) {
	return &qualificationv1.ExplainResponse{Decisions: []*qualificationv1.Decision{
		{
			Type: "baton.lead.v1.LeadNurtured", RecordedAt: ago(26 * time.Minute), AgreementVersion: 1, ProfileVersion: "2025-4", LogicVersion: "q1",
			Explanation: &leadv1.Explanation{Summary: "The company was too small by the profile of 2025-4."}, Sequence: 2,
			Hash: []byte{10, 11, 12}, Accountable: "Head of kettles",
			SmallestChange: &qualificationv1.SmallestChange{Sure: true, Outcome: "Kettle MQL", Text: "It would have come to the stage Kettle MQL if the number of employees were 20 or more instead of 12."},
		},
		{
			Type: "baton.lead.v1.LeadQualified", Stage: leadv1.Stage_STAGE_MQL, RecordedAt: ago(25 * time.Minute), AgreementVersion: 2,
			ProfileVersion: "2026-1", Persona: "initiator", PersonaVersion: "2026-2", LogicVersion: "q1", Explanation: explanation(), Sequence: 3,
		},
	}}, nil
}

func (f *fixed) ListClocks(_ context.Context, ask *routingv1.ListClocksRequest) (*routingv1.ListClocksResponse, error) {
	if ask.GetLeadId() == "" {
		return nil, status.Error(codes.InvalidArgument, "the page of a lead asks for its clocks alone")
	}
	return &routingv1.ListClocksResponse{Clocks: []*routingv1.Clock{
		{
			LeadId: ask.GetLeadId(), Title: "First touch", Department: "sales", Member: "ana", Limit: durationpb.New(8 * time.Hour), Spent: durationpb.New(9*time.Hour + 5*time.Minute),
			Working: true, Breached: true, Step: 2, DueAt: ago(time.Hour),
		},
		{LeadId: ask.GetLeadId(), Title: "Answer", Department: "marketing", Limit: durationpb.New(30 * time.Minute), Spent: durationpb.New(time.Minute), Paused: true},
	}}, nil
}

func (f *fixed) GetOwner(_ context.Context, ask *routingv1.GetOwnerRequest) (*routingv1.GetOwnerResponse, error) {
	return &routingv1.GetOwnerResponse{LeadId: ask.GetLeadId(), Text: "It is offered to ana until 11:27 UTC."}, nil
}

func (f *fixed) Accept(ctx context.Context, ask *routingv1.AcceptRequest) (*routingv1.AcceptResponse, error) {
	if reader(ctx).Handle != "ana" {
		return nil, status.Error(codes.FailedPrecondition, "the lead is offered to somebody else")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepts = append(f.accepts, ask)
	return &routingv1.AcceptResponse{Sequence: 10}, nil
}

func (f *fixed) Reject(_ context.Context, ask *routingv1.RejectRequest) (*routingv1.RejectResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rejects = append(f.rejects, ask)
	if ask.GetReason() != "no-budget" {
		return nil, status.Error(codes.InvalidArgument, "the agreement has no such reason")
	}
	return &routingv1.RejectResponse{Sequence: 10, Consequence: leadv1.Consequence_CONSEQUENCE_NURTURE}, nil
}

func agreed() *agreementv1.Agreement {
	return &agreementv1.Agreement{
		Version: 2, Name: "Kettle handoff", Digest: []byte{0xab, 0xcd, 0xef, 0x01}, Document: []byte("name: Kettle handoff\nreasons:\n  - id: no-budget # <what> & why\n"),
		ProposedAt: ago(72 * time.Hour), ProposedBy: "dora", InForceFrom: ago(48 * time.Hour), InForce: true,
		Signatures: []*agreementv1.Signature{
			{Party: "marketing", SignedAt: ago(70 * time.Hour), Actor: "clo", PublicKey: []byte{1, 2, 3}},
			{Party: "sales", SignedAt: ago(69 * time.Hour), Actor: "dora", PublicKey: []byte{4, 5, 6}},
		},
		MoveReasons: []*agreementv1.MoveReason{{Id: "overload", Title: "Has too much <to> do"}, {Id: "left", Title: "Has left"}},
		Pools:       []*agreementv1.PoolName{{Id: "north", Title: "North & East", Members: []string{"ana", "ben"}}, {Id: "south", Title: "South", Members: []string{"ana", "cem"}, Claimed: true}},
		Why:         "too many <small> ones", Standing: agreementv1.Standing_STANDING_IN_FORCE,
		Receipts: []*agreementv1.Receipt{{Member: "dora", At: ago(time.Hour)}}, Unread: []string{"ana", "ben"},
		Reasons: []*agreementv1.Reason{
			{Id: "no-budget", Title: "No <budget> yet", LeadsTo: leadv1.Consequence_CONSEQUENCE_NURTURE},
			{Id: "not-mine", Title: "Not my field", LeadsTo: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON},
			{Id: "spam", Title: "Not genuine", LeadsTo: leadv1.Consequence_CONSEQUENCE_DISQUALIFY},
		},
	}
}

func (f *fixed) RenderAgreement(_ context.Context, ask *agreementv1.RenderAgreementRequest) (*agreementv1.RenderAgreementResponse, error) {
	return &agreementv1.RenderAgreementResponse{Version: ask.GetVersion(), Fragment: fmt.Sprintf(`<article class="agreement"><h2>Goals of version %d</h2></article>`, ask.GetVersion())}, nil
}

func (f *fixed) CompareAgreements(_ context.Context, ask *agreementv1.CompareAgreementsRequest) (*agreementv1.CompareAgreementsResponse, error) {
	return &agreementv1.CompareAgreementsResponse{OldVersion: ask.GetWith(), NewVersion: ask.GetVersion(), Changes: []*agreementv1.Change{
		{Part: "Customer profile", About: "Size.", Text: "at least 50 instead of 20 <employees>", Concerns: []string{"marketing", "sales"}},
		{Part: "Pools and times", About: "Inside", Text: "take a lead within: 1 hour instead of 2 hours", Concerns: []string{"ana"}},
	}}, nil
}

func (f *fixed) RecordRead(_ context.Context, ask *agreementv1.RecordReadRequest) (*agreementv1.Agreement, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = append(f.read, ask.GetVersion())
	return agreed(), nil
}

func (f *fixed) GetGlossary(context.Context, *agreementv1.GetGlossaryRequest) (*agreementv1.Glossary, error) {
	return &agreementv1.Glossary{Version: 2, Stages: []*agreementv1.StageTerm{{Stage: "MQL", Title: "Warm", Text: "Fits & should be called."}}}, nil
}

func (f *fixed) GetAgreement(_ context.Context, ask *agreementv1.GetAgreementRequest) (*agreementv1.Agreement, error) {
	if f.empty || ask.GetVersion() > 3 {
		return nil, status.Error(codes.NotFound, "there is no such version of the agreement")
	}
	if ask.GetVersion() == 3 {
		return &agreementv1.Agreement{Version: 3, Name: "Kettle handoff", ProposedAt: ago(time.Hour), ProposedBy: "clo", Signatures: agreed().Signatures[:1], Document: agreed().Document}, nil
	}
	return agreed(), nil
}

func (f *fixed) ListAgreements(context.Context, *agreementv1.ListAgreementsRequest) (*agreementv1.ListAgreementsResponse, error) {
	if f.empty {
		return &agreementv1.ListAgreementsResponse{}, nil
	}
	return &agreementv1.ListAgreementsResponse{Agreements: []*agreementv1.Agreement{
		{Version: 3, Name: "Kettle handoff", ProposedAt: ago(time.Hour), ProposedBy: "clo", Signatures: agreed().Signatures[:1]},
		agreed(),
	}}, nil
}

func (f *fixed) ListSources(context.Context, *intakev1.ListSourcesRequest) (*intakev1.ListSourcesResponse, error) {
	return &intakev1.ListSourcesResponse{Sources: []*intakev1.Source{{Name: "forms", Signed: true}, {Name: "web"}}}, nil
}

func (f *fixed) GetIntakeLedger(_ context.Context, ask *intakev1.GetIntakeLedgerRequest) (*intakev1.GetIntakeLedgerResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ledgers = append(f.ledgers, ask)
	out := &intakev1.GetIntakeLedgerResponse{From: ask.GetFrom(), To: timestamppb.New(at)}
	if f.empty {
		return out, nil
	}
	out.Acknowledged, out.Worked, out.Unworked, out.Submissions = 1240, 1235, 5, 1300
	out.Rows = []*intakev1.IntakeCount{
		{Source: "forms", Outcome: "lead", Count: 1200}, {Source: "web", Outcome: "needs-mapping", Count: 70}, {Source: "web", Outcome: "held", Count: 30},
	}
	if f.odd {
		out.Rows[0].Count++
	}
	return out, nil
}

func (f *fixed) ListDeliveries(_ context.Context, ask *intakev1.ListDeliveriesRequest) (*intakev1.ListDeliveriesResponse, error) {
	if ask.GetContent() {
		return nil, status.Error(codes.Internal, "a page has no business with contents")
	}
	one := &intakev1.DeliveryListed{DeliveryId: "dzzzz5k2m4n6p8q1r3s5t7v9x", Source: "web", ReceivedAt: ago(time.Hour), Outcomes: []string{ask.GetOutcome()}}
	switch ask.GetOutcome() {
	case "needs-mapping":
		one.LeadIds = []string{waitingLead}
	case "held":
		one.Text = "the source is paused or removed"
	}
	return &intakev1.ListDeliveriesResponse{Deliveries: []*intakev1.DeliveryListed{one}}, nil
}
