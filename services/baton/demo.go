package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/audit"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

func demoCommand() *cobra.Command {
	var leads int
	var exit bool
	var seed uint64
	cmd := &cobra.Command{
		Use:     "demo",
		GroupID: groupRun,
		Short:   "See it all happen: two working weeks in about a minute",
		Long: `Start everything on a temporary directory and play two working weeks: real form
payloads through the real HTTP door, people who accept, reject, sleep, call, go away,
tell what they learned and quarrel, two versions of the agreement, and a target for
the quarter. It ends with the funnel, the response
times and the reconciliation of what was sent with what became of it.

The clock is the system's own, moved on from one thing that happens to the next.
Nobody in it exists.`,
		Example: `  baton demo
  baton demo --exit --leads 500`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if leads < 1 || leads > 100000 {
				return misused(cmd, "--leads must lie between 1 and 100000")
			}
			return demo(contextOf(cmd), cmd.OutOrStdout(), cmd.ErrOrStderr(), demoConfig{leads: leads, exit: exit, seed: seed})
		},
	}
	cmd.Flags().IntVar(&leads, "leads", 300, "how many visitors fill in a form")
	cmd.Flags().BoolVar(&exit, "exit", false, "end by itself; status 0 only if every check holds")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "another seed plays another two weeks")
	return cmd
}

type demoConfig struct {
	leads int
	exit  bool
	seed  uint64
}

// demoTeam are the people of the demo, and how each of them works.
var demoTeam = []struct {
	handle, name string
	// accepts, rejects in percent; the rest lets the clock run out.
	accepts, rejects int
	// answer is the mean time until they answer an offer.
	answer       time.Duration
	team, office string
}{
	{"ana", "Ana Lund", 88, 8, 12 * time.Minute, "north", "berlin"},
	{"ben", "Ben Okafor", 80, 10, 35 * time.Minute, "north", "berlin"},
	{"chloe", "Chloé Martin", 75, 15, 50 * time.Minute, "south", "lyon"},
	{"dan", "Dan Petrov", 60, 10, 80 * time.Minute, "south", "berlin"},
}

func demo(ctx context.Context, out, progress io.Writer, cfg demoConfig) error {
	dir, err := os.MkdirTemp("", "baton-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p, err := newPlay(ctx, dir, progress, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = p.app.Stop(context.WithoutCancel(ctx)) }()
	if err := p.begin(ctx); err != nil {
		return err
	}
	if err := p.play(ctx); err != nil {
		return err
	}
	checks, err := p.conclude(ctx, out)
	if err != nil {
		return err
	}
	if cfg.exit {
		if failed := checks.failed(); failed > 0 {
			return fmt.Errorf("the demo ran, but %s not hold", counted(int64(failed), "check does", "checks do"))
		}
		return nil
	}
	return p.stay(ctx, out)
}

// play is one performance.
type play struct {
	*stage
	cfg   demoConfig
	start time.Time
	rng   *rand.Rand

	unexpected, offered, accepted, touched int

	told demoTold
}

func newPlay(ctx context.Context, dir string, progress io.Writer, cfg demoConfig) (*play, error) {
	// Monday morning, two weeks ago: the play ends near the present.
	now := time.Now().UTC()
	monday := now.AddDate(0, 0, -int(now.Weekday()+6)%7-14)
	start := time.Date(monday.Year(), monday.Month(), monday.Day(), 5, 0, 0, 0, time.UTC)
	p := &play{cfg: cfg, stage: newStage(start, progress), start: start, rng: rand.New(rand.NewPCG(cfg.seed, 7))}
	p.told.chance = rand.New(rand.NewPCG(cfg.seed, 11))
	secret := filepath.Join(dir, "form.secret")
	if err := os.WriteFile(secret, []byte(formSecret+"\n"), 0o600); err != nil {
		return nil, err
	}
	return p, p.raise(ctx, Config{
		Data: filepath.Join(dir, "data"), Console: "127.0.0.1:0", GRPC: "127.0.0.1:0", keyDays: 60,
		Sources: []string{"forms,header=X-Form-Signature,prefix=sha256=,encoding=base64,secret=file:" + secret},
	}, p.hears, func() string { return fmt.Sprintf("offered %d  accepted %d", p.offered, p.accepted) })
}

// begin adds the people, signs the first agreement a little after the first
// leads have come, and fills the calendar with what will happen.
func (p *play) begin(ctx context.Context) error {
	fmt.Fprintf(p.progress, "Baton demo: %s, two working weeks from %s.\n", counted(int64(p.cfg.leads), "visitor", "visitors"), p.start.Format("Monday 2006-01-02"))
	people := routingv1.NewRoutingServiceClient(p.conn())
	for _, m := range demoTeam {
		added, err := people.AddMember(p.as(ctx, ""), &routingv1.AddMemberRequest{Member: m.handle, Name: m.name, Email: m.handle + "@acme.example", Roles: []string{access.Sales, access.Qualifier}})
		if err != nil {
			return access.FaultOf(err)
		}
		p.tokens[m.handle] = added.GetToken()
	}
	if err := p.others(ctx); err != nil {
		return err
	}
	// The first leads come before anything is agreed: they are kept and wait.
	p.at(p.start.Add(90*time.Minute), func(ctx context.Context) error { return p.agree(ctx, 1, nil) })
	p.at(p.start.Add(3*time.Hour), p.aims)
	p.at(p.start.AddDate(0, 0, 7).Add(4*time.Hour), func(ctx context.Context) error {
		return p.agree(ctx, 2, func(doc []byte) []byte {
			doc = bytes.Replace(doc, []byte("points_needed: 3"), []byte("points_needed: 4"), 1)
			doc = bytes.Replace(doc, []byte("    remind_before: 15m\n"), []byte("    remind_before: 15m\n    quiet_before_end: 10m\n    previous_owner: {for: 90d}\n    fallback: {after: 6h, pool: large-companies}\n"), 1)
			doc = switchedOn(switchedOn(doc, "clocks"), "one_owner")
			return bytes.Replace(doc, []byte(`version: "1"`), []byte(`version: "2"`), 1)
		})
	})
	for i := range p.cfg.leads {
		p.visit(i)
	}
	p.absences()
	p.quarrels()
	return nil
}

// agree puts a version of the starter into force.
func (p *play) agree(ctx context.Context, number int64, change func([]byte) []byte) error {
	doc := agreement.Starter(agreement.StarterParams{MarketingKey: p.public(agreement.Marketing), SalesKey: p.public(agreement.Sales), Zone: "Europe/Berlin"})
	doc = bytes.Replace(doc, []byte("products: []"), []byte("products: ["+strings.Join(products, ", ")+"]"), 1)
	if change != nil {
		doc = change(doc)
	}
	if err := p.sign(ctx, doc); err != nil {
		return err
	}
	p.say("%s  both departments signed version %d of the agreement", p.clock.Now().Format("Mon 15:04"), number)
	return nil
}

// switchedOn takes the marks of a note off a part that the starter only shows.
func switchedOn(doc []byte, part string) []byte {
	note := regexp.MustCompile(`(?m)^# ` + part + `:.*\n(#   .*\n)*`)
	return note.ReplaceAllFunc(doc, func(lines []byte) []byte {
		return regexp.MustCompile(`(?m)^# `).ReplaceAll(lines, nil)
	})
}

// visit puts one visitor's form into the calendar: mostly on working days, in
// the day, and now and then sent twice by an impatient tool.
func (p *play) visit(n int) {
	day := p.rng.IntN(10)
	day += 2 * (day / 5)
	hour := 6 + p.rng.NormFloat64()*3.5 + 4
	hour = max(0.2, min(23.5, hour))
	if p.rng.IntN(20) == 0 {
		day = 5 + 7*p.rng.IntN(2) // a weekend
	}
	at := p.start.AddDate(0, 0, day).Add(-5*time.Hour + time.Duration(hour*60)*time.Minute)
	if n < 3 || !at.After(p.start) {
		at = p.start.Add(time.Duration(10+n%60) * time.Minute)
	}
	v := newVisitor(p.rng, n)
	d := form(p.rng, v, n, p.rng.IntN(40) == 0, p.rng.IntN(15) == 0)
	p.deliver(at, d)
	if p.rng.IntN(25) == 0 {
		p.deliver(at.Add(time.Duration(1+p.rng.IntN(90))*time.Minute), d)
	}
}

// absences: people go away and come back, and one is ill in the second week.
func (p *play) absences() {
	away := func(handle string, from, until time.Time) {
		people := routingv1.NewRoutingServiceClient(p.conn())
		p.at(from, func(ctx context.Context) error {
			_, err := people.SetAvailability(p.as(ctx, handle), &routingv1.SetAvailabilityRequest{Away: true, Reason: "leave"})
			return err
		})
		p.at(until, func(ctx context.Context) error {
			_, err := people.SetAvailability(p.as(ctx, handle), &routingv1.SetAvailabilityRequest{Reason: "back"})
			return err
		})
	}
	day := func(n, hour int) time.Time { return p.start.AddDate(0, 0, n).Add(time.Duration(hour-5) * time.Hour) }
	away("ben", day(1, 7), day(2, 11))
	away("dan", day(3, 9), day(4, 9))
	away("ana", day(8, 7), day(10, 7))
	away("chloe", day(9, 10), day(9, 14))
	// Ana is ill: what she has goes to the others.
	p.at(day(8, 8), func(ctx context.Context) error {
		moved, err := routingv1.NewRoutingServiceClient(p.conn()).BulkReassign(p.as(ctx, ""), &routingv1.BulkReassignRequest{From: "ana", Reason: "overload"})
		if err == nil && moved.GetMoved() > 0 {
			p.say("%s  ana is ill: %s of hers moved by hand", p.clock.Now().Format("Mon 15:04"), counted(moved.GetMoved(), "lead", "leads"))
		}
		return err
	})
}

// hears lets the people answer what they hear.
func (p *play) hears(e *leadv1.HistoryEntry) error {
	switch e.GetType() {
	case "baton.lead.v1.LeadOffered":
		var o leadv1.LeadOffered
		if err := protojson.Unmarshal([]byte(e.GetJson()), &o); err != nil {
			return err
		}
		p.react(e.GetLeadId(), &o)
	case "baton.lead.v1.LeadNurtured":
		p.nurture(e.GetLeadId())
	}
	return nil
}

// play plays the two weeks.
func (p *play) play(ctx context.Context) error { return p.perform(ctx, p.start.AddDate(0, 0, 14)) }

// react decides what a person does with an offer, and when.
func (p *play) react(id string, o *leadv1.LeadOffered) {
	p.offered++
	i := slices.IndexFunc(demoTeam, func(m struct {
		handle, name     string
		accepts, rejects int
		answer           time.Duration
		team, office     string
	},
	) bool {
		return m.handle == o.GetMember()
	})
	if i < 0 {
		return
	}
	m := demoTeam[i]
	now := p.clock.Now()
	answer := now.Add(time.Minute + time.Duration(p.rng.ExpFloat64()*float64(m.answer)))
	if !answer.Before(o.GetTakeBy().AsTime()) {
		return // sleeps through it
	}
	desk := routingv1.NewRoutingServiceClient(p.conn())
	switch chance := p.rng.IntN(100); {
	case chance < m.accepts:
		p.at(answer, func(ctx context.Context) error {
			if _, err := desk.Accept(p.as(ctx, m.handle), &routingv1.AcceptRequest{LeadId: id}); err != nil {
				return p.late(err)
			}
			p.accepted++
			p.follow(id, m.handle)
			return nil
		})
	case chance < m.accepts+m.rejects:
		reason := []string{"not-my-field", "no-time", "not-ready", "no-fit", "not-genuine"}[p.rng.IntN(5)]
		p.at(answer, func(ctx context.Context) error {
			_, err := desk.Reject(p.as(ctx, m.handle), &routingv1.RejectRequest{LeadId: id, Reason: reason, Note: "Said so on the phone."})
			return p.late(err)
		})
	}
}

// nurture is what becomes of a lead that stays with marketing: some get what the
// plan says, and a few show that they want to talk.
func (p *play) nurture(id string) {
	now := p.clock.Now()
	after := func(hours int) time.Time {
		return now.Add(time.Duration(hours)*time.Hour + time.Duration(p.rng.IntN(3600))*time.Second)
	}
	switch p.rng.IntN(12) {
	case 0:
		p.touch(id, "order-intent", after(20+p.rng.IntN(60)))
	case 1:
		p.touch(id, "reply", after(20+p.rng.IntN(60)))
	case 2:
		for visit := range 3 {
			p.touch(id, "pricing-page", after(10+20*visit))
		}
	case 3, 4, 5:
		p.touch(id, "customer-story", after(24*5))
	}
}

// touch reports that a person did something, or that something was done for them.
func (p *play) touch(id, kind string, at time.Time) {
	p.at(at, func(ctx context.Context) error {
		p.touched++
		_, err := intakev1.NewIntakeServiceClient(p.conn()).RecordTouch(p.as(ctx, ""), &intakev1.RecordTouchRequest{
			Source: "web", Touch: &intakev1.Touch{ExternalId: fmt.Sprintf("touch-%d", p.touched), Kind: kind, LeadId: id},
		})
		return err
	})
}

// late forgives what came after the lead had moved on.
func (p *play) late(err error) error {
	if err == nil {
		return nil
	}
	if refused := access.FaultOf(err); fault.Is(refused, fault.State) || strings.Contains(refused.Error(), "belongs to") {
		return nil
	}
	p.unexpected++
	return err
}

// follow is what comes after a lead was taken: a call, and what it led to.
func (p *play) follow(id, handle string) {
	calls := qualificationv1.NewQualificationServiceClient(p.conn())
	outcomes := feedbackv1.NewFeedbackServiceClient(p.conn())
	if p.rng.IntN(12) == 0 {
		p.told.unworked = append(p.told.unworked, handed{id, handle})
		return // taken, and never called
	}
	// A lead can come back to the same person: each time is another.
	key := fmt.Sprintf("%s-%s-%d", id, handle, p.accepted)
	at := p.clock.Now().Add(time.Duration((0.2 + p.rng.ExpFloat64()*4) * float64(time.Hour)))
	if p.rng.IntN(6) == 0 {
		at = at.Add(time.Duration(20+p.rng.IntN(40)) * time.Hour)
	}
	horizon := int64(p.rng.IntN(14))
	fit := p.rng.IntN(10) < 8
	p.at(at, func(ctx context.Context) error {
		_, err := calls.RecordCall(p.as(ctx, handle), &qualificationv1.RecordCallRequest{
			LeadId: id, IdempotencyKey: "call-" + key, Reached: true, FitConfirmed: fit, HorizonMonths: &horizon, Note: "Spoke for ten minutes.",
		})
		if err == nil {
			if !fit {
				p.told.unfit = append(p.told.unfit, handed{id, handle})
			}
			p.learned(id, handle, key, fit, horizon)
		}
		if err := p.late(err); err != nil {
			return access.FaultOf(err)
		}
		return nil
	})
	if !fit || p.rng.IntN(3) == 0 {
		return
	}
	kind, reason, value := leadv1.OutcomeKind_OUTCOME_KIND_WON, "", int64(100*(500+p.rng.IntN(20000)))
	if p.rng.IntN(3) > 0 {
		kind, reason, value = leadv1.OutcomeKind_OUTCOME_KIND_LOST, pick(p.told.chance, []string{"chose-another", "chose-another", "too-expensive", "no-decision"}), 0
	}
	closed := at.Add(time.Duration(10+p.rng.IntN(120)) * time.Hour)
	p.dealGoesOn(id, handle, key, at, closed)
	p.at(closed, func(ctx context.Context) error {
		req := &feedbackv1.RecordOutcomeRequest{LeadId: id, IdempotencyKey: "close-" + key, Kind: kind, Reason: reason, ValueMinor: value}
		if value > 0 {
			req.Currency = "EUR"
		}
		_, err := outcomes.RecordOutcome(p.as(ctx, handle), req)
		return p.late(err)
	})
}

// checks are what the demo holds its own run against.
type checks []check

type check struct {
	text string
	ok   bool
}

func (c *checks) add(ok bool, format string, args ...any) {
	*c = append(*c, check{fmt.Sprintf(format, args...), ok})
}

func (c checks) failed() (n int) {
	for _, one := range c {
		if !one.ok {
			n++
		}
	}
	return n
}

// conclude shows the tables and reconciles what was sent with what became of it.
func (p *play) conclude(ctx context.Context, out io.Writer) (checks, error) {
	if isTerminal(p.progress) {
		fmt.Fprint(p.progress, "\r\x1b[K")
	}
	if err := p.app.Read(ctx); err != nil {
		return nil, err
	}
	reports := feedbackv1.NewReportServiceClient(p.conn())
	funnel, err := reports.GetReport(p.as(ctx, ""), &feedbackv1.GetReportRequest{Report: "funnel", By: "source"})
	if err != nil {
		return nil, access.FaultOf(err)
	}
	response, err := reports.GetReport(p.as(ctx, ""), &feedbackv1.GetReportRequest{Report: "response", By: "person"})
	if err != nil {
		return nil, access.FaultOf(err)
	}
	for _, report := range []*feedbackv1.Report{funnel, response} {
		fmt.Fprintln(out)
		if err := writeReport(out, report, formatTable); err != nil {
			return nil, err
		}
	}
	return p.reconcile(ctx, out, funnel)
}

// tally is what the log itself says became of the deliveries.
type logTally struct {
	received, refused, undecodable, repeats int
	touches, signals                        int
	// told counts what sales said of leads, disputes the cases, decided those of them.
	told, disputes, decided int
	states                  map[leadv1.State]int
	leads                   map[string]*lead.State
}

func (p *play) count(ctx context.Context) (*logTally, error) {
	t := &logTally{states: map[leadv1.State]int{}, leads: map[string]*lead.State{}}
	in, err := auditv1.NewAuditServiceClient(p.conn()).Replay(p.as(ctx, ""), &auditv1.ReplayRequest{})
	if err != nil {
		return nil, err
	}
	err = audit.Records(in, func(r *ledger.Record) error {
		e, err := r.Decode()
		if err != nil {
			return err
		}
		switch e.Type {
		case "baton.lead.v1.LeadReceived":
			t.received++
		case "baton.lead.v1.LeadRefused":
			t.refused++
		case "baton.intake.v1.DeliveryRefused":
			t.undecodable++
		case "baton.lead.v1.SubmissionRepeated", "baton.lead.v1.SubmissionRevised":
			t.repeats++
		case "baton.lead.v1.FeedbackGiven":
			t.told++
		case "baton.lead.v1.DisputeOpened":
			t.disputes++
		case "baton.lead.v1.DisputeDecided":
			t.decided++
		}
		if touch, ok := e.Body.(*leadv1.TouchAdded); ok {
			if touch.GetKind() == lead.SameForm {
				t.repeats++
			} else {
				t.touches++
			}
		}
		if qualified, ok := e.Body.(*leadv1.LeadQualified); ok && qualified.GetSignal() != "" {
			t.signals++
		}
		if id, ok := lead.FromSubject(e.Subject); ok {
			if t.leads[id] == nil {
				t.leads[id] = &lead.State{ID: id}
			}
			t.leads[id].Evolve(e.Body, e.Occurred, e.Recorded)
		}
		return nil
	}, func(seq uint64, why string) error { return fmt.Errorf("record %d cannot be read: %s", seq, why) })
	for _, s := range t.leads {
		t.states[s.State]++
	}
	return t, err
}

func (p *play) reconcile(ctx context.Context, out io.Writer, funnel *feedbackv1.Report) (checks, error) {
	t, err := p.count(ctx)
	if err != nil {
		return nil, err
	}
	verified, err := audit.Verify(p.as(ctx, ""), audit.Remote{Client: auditv1.NewAuditServiceClient(p.conn())}, audit.Options{})
	if err != nil {
		return nil, access.FaultOf(err)
	}
	worked := t.received - t.refused
	refused := t.refused + t.undecodable
	fmt.Fprintf(out, "\nReconciliation\n")
	var f facts
	f.add("Sent", fmt.Sprintf("%s forms", grouped(int64(p.sent))))
	f.add("Acknowledged", fmt.Sprintf("%s = %s received + %s refused (spam, test) + %s repeats", grouped(int64(p.acknowledged)), grouped(int64(worked)), grouped(int64(refused)), grouped(int64(t.repeats))))
	var states []string
	sum := 0
	for state := leadv1.State_STATE_RECEIVED; state <= leadv1.State_STATE_NURTURING; state++ {
		if n := t.states[state]; n > 0 {
			states = append(states, fmt.Sprintf("%s %s", grouped(int64(n)), lead.StateWord(state)))
			sum += n
		}
	}
	f.add("Received", fmt.Sprintf("%s, each in one state: %s", grouped(int64(worked)), strings.Join(states, ", ")))
	f.add("Touches", fmt.Sprintf("%s recorded; %s from marketing at once by a signal", grouped(int64(t.touches)), counted(int64(t.signals), "lead came", "leads came")))
	f.add("Told", fmt.Sprintf("%s from sales; %s, %s of them decided", counted(int64(t.told), "feedback form", "feedback forms"), counted(int64(t.disputes), "dispute", "disputes"), grouped(int64(t.decided))))
	f.add("Decisions", fmt.Sprintf("%s derived again from the log, %s differ", grouped(verified.Decisions), grouped(verified.Differ)))
	if err := f.write(out); err != nil {
		return nil, err
	}
	var c checks
	c.add(p.turnedAway == 0 && p.sent == p.acknowledged, "every form that was sent was acknowledged")
	c.add(p.acknowledged == worked+refused+t.repeats, "every acknowledged form is a lead, a refusal or a repeat")
	c.add(p.touched == t.touches, "every touch that was reported is on its lead")
	c.add(p.told.feedback == t.told && p.told.disputes == t.disputes && p.told.decided == t.decided, "everything that people said of leads is on them")
	c.add(worked == sum, "every received lead is in exactly one state")
	c.add(totalOf(funnel, "received") == float64(worked), "the funnel counts the leads that the log holds")
	c.add(t.states[leadv1.State_STATE_HELD] == 0 && t.states[leadv1.State_STATE_RECEIVED] == 0, "no lead waits for a decision")
	c.add(p.unexpected == 0, "nobody was refused what they may do")
	c.add(verified.Whole(), "the log verifies: chains, signatures, trees and every decision")
	fmt.Fprintln(out)
	for _, one := range c {
		mark := "ok  "
		if !one.ok {
			mark = "FAIL"
		}
		fmt.Fprintf(out, "  %s  %s\n", mark, one.text)
	}
	for _, finding := range verified.Findings {
		fmt.Fprintf(out, "        %s %d: %s\n", finding.Stream, finding.Seq, finding.What)
	}
	return c, nil
}

func totalOf(r *feedbackv1.Report, name string) float64 {
	for _, f := range r.GetTotal().GetFigures() {
		if f.GetName() == name {
			return f.GetValue()
		}
	}
	return -1
}
