package console

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/lead"
)

// Names of the reports that the live page shows.
const (
	funnel      = "funnel"
	response    = "response"
	definitions = "definitions"
	effect      = "effect"
	fairness    = "fairness"
	secondTry   = "second-chance"
	load        = "load"
)

// lineShown is how much of the waiting line the live page shows.
const lineShown = 20

// overview is how things stand: everything on the live page but the events.
type overview struct {
	// Now is the system's own time; Today is the start of its day.
	Now, Today time.Time

	Status        *feedbackv1.GetStatusResponse
	StatusProblem string
	Behind        uint64
	Oldest        time.Duration

	Funnel, Response               []line
	FunnelProblem, ResponseProblem string
	Population                     string
	// Baseline is the agreed one at which the figures of all time start; zero = none.
	Baseline time.Time
	// Empty says that no lead was ever received.
	Empty bool

	Waiting        []waiting
	MoreWaiting    bool
	WaitingProblem string

	People        []member
	PeopleProblem string
}

type waiting struct {
	Lead, Pool, WaitsFor string
	Since, LookAgain     time.Time
}

type member struct {
	Handle, Name string
	Standing     string // "on duty", "off duty", "in no pool", "away", "deactivated"
	AwayUntil    time.Time
	Load         int64
	Capacity     int64
	Turns        string
	Full         bool
	Bar          int
}

// look asks the services how things stand. Each part that cannot be had says
// why in its own place; only a withdrawn token is an error.
func (c *console) look(ctx context.Context, to *services) (*overview, error) {
	o := &overview{}
	st, statusErr := to.reports.GetStatus(ctx, &feedbackv1.GetStatusRequest{})
	o.Now = c.systemTime(st)
	o.Today = o.Now.Truncate(24 * time.Hour)
	if statusErr == nil {
		o.Status = st
		o.Oldest = time.Duration(st.GetIntakeOldestMs()) * time.Millisecond
		if st.GetLedgerSequence() > st.GetReadSequence() {
			o.Behind = st.GetLedgerSequence() - st.GetReadSequence()
		}
	}
	o.StatusProblem = missing(statusErr)

	var parts sync.WaitGroup
	reports := [4]*feedbackv1.Report{}
	errs := [7]error{}
	for i, ask := range []*feedbackv1.GetReportRequest{
		{Report: funnel, From: timestamppb.New(o.Today)},
		{Report: funnel},
		{Report: response, From: timestamppb.New(o.Today)},
		{Report: response},
	} {
		parts.Go(func() { reports[i], errs[i] = to.reports.GetReport(ctx, ask) })
	}
	var queue *routingv1.ListQueueResponse
	parts.Go(func() {
		queue, errs[4] = to.routing.ListQueue(ctx, &routingv1.ListQueueRequest{PageSize: lineShown})
	})
	var people *routingv1.ListMembersResponse
	parts.Go(func() { people, errs[5] = to.routing.ListMembers(ctx, &routingv1.ListMembersRequest{}) })
	var agreed *agreementv1.Agreement
	parts.Go(func() { agreed, errs[6] = to.agreement.GetAgreement(ctx, &agreementv1.GetAgreementRequest{}) })
	parts.Wait()
	if err := withdrawn(append(errs[:], statusErr)...); err != nil {
		return nil, err
	}

	if o.FunnelProblem = missing(firstOf(errs[0], errs[1])); o.FunnelProblem == "" {
		o.Funnel, o.Population = linesOf(reports[0], reports[1]), reports[1].GetPopulation()
		received, known := figure(reports[1].GetTotal(), "received")
		o.Baseline = instant(reports[1].GetBaseline())
		o.Empty = known && received == 0 && o.Baseline.IsZero()
	}
	if o.ResponseProblem = missing(firstOf(errs[2], errs[3])); o.ResponseProblem == "" {
		o.Response = linesOf(reports[2], reports[3])
	}
	o.WaitingProblem, o.PeopleProblem = missing(errs[4]), missing(errs[5])
	// Without them the pools stand by their ids.
	pools := titlesOf(agreed)
	for _, q := range queue.GetLeads() {
		o.Waiting = append(o.Waiting, waiting{
			Lead: q.GetLeadId(), Pool: pools.of(q.GetPool()), WaitsFor: lead.WaitsFor(q.GetBlockedBy()),
			Since: instant(q.GetSince()), LookAgain: instant(q.GetLookAgainAt()),
		})
	}
	o.MoreWaiting = queue.GetNextPageToken() != ""
	for _, m := range people.GetMembers() {
		o.People = append(o.People, memberOf(m, pools))
	}
	return o, nil
}

// systemTime is what the services call now; the console's own clock stands in
// where they do not say.
func (c *console) systemTime(st *feedbackv1.GetStatusResponse) time.Time {
	if t := instant(st.GetNow()); !t.IsZero() {
		return t
	}
	return c.clock.Now()
}

func memberOf(m *routingv1.Member, pools titles) member {
	out := member{
		Handle: m.GetMember(), Name: m.GetName(), Load: m.GetLoad(), Capacity: m.GetCapacity(),
		Standing: "off duty", AwayUntil: instant(m.GetAwayUntil()),
	}
	switch {
	case m.GetDeactivated():
		out.Standing = "deactivated"
	case m.GetAway():
		out.Standing = "away"
	case m.GetOnDuty():
		out.Standing = "on duty"
	case len(m.GetTurns()) == 0:
		out.Standing = "in no pool"
	}
	if out.Capacity > 0 {
		out.Full = out.Load >= out.Capacity
		out.Bar = int(min(100, max(0, out.Load*100/out.Capacity)))
	}
	var turns []string
	for _, pool := range slices.Sorted(maps.Keys(m.GetTurns())) {
		turns = append(turns, pools.of(pool)+" "+strconv.FormatInt(m.GetTurns()[pool], 10))
	}
	out.Turns = strings.Join(turns, ", ")
	return out
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
