package routing

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// monday is a Monday noon: by the starter's calendar everybody is on duty.
var monday = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// tester is what both kinds of tests answer.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// document is the starter agreement with edits: pairs of what to replace and by
// what. By the starter inside-sales is ana, ben and chloe, large-companies is
// chloe and dan, and both pools are of the group sales.
func document(t tester, edits ...string) []byte {
	t.Helper()
	public := func(seed byte) ed25519.PublicKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	}
	doc := agreement.Starter(agreement.StarterParams{MarketingKey: public(1), SalesKey: public(2), Zone: "UTC"})
	// What these tests look at is agreed by each of them.
	for _, switched := range []string{"    remind_before: 15m\n", movesOfStarter} {
		if !bytes.Contains(doc, []byte(switched)) {
			t.Fatalf("the starter agreement does not hold %q any more", switched)
		}
		doc = bytes.ReplaceAll(doc, []byte(switched), nil)
	}
	for i := 0; i < len(edits); i += 2 {
		if bytes.Count(doc, []byte(edits[i])) != 1 {
			t.Fatalf("the starter agreement holds %q %d times, want once", edits[i], bytes.Count(doc, []byte(edits[i])))
		}
		doc = bytes.Replace(doc, []byte(edits[i]), []byte(edits[i+1]), 1)
	}
	return doc
}

const movesOfStarter = `reassign_reasons:
  left: The person has left, or does something else now.
  overload: The person has too much to do.
  wrong-person: Somebody else knows this better.
  customer-wish: The customer asked for somebody else.
  other: Another reason; say which in the note.
`

// capacities edits the most open leads of one person in both pools.
func capacities(inside, large int) []string {
	return []string{"capacity: 50", fmt.Sprintf("capacity: %d", inside), "capacity: 25", fmt.Sprintf("capacity: %d", large)}
}

// world is a log in memory with the service's folds on top, and the service's
// desk in slow motion: what came, what fell due, and what became possible are
// worked until nothing is left.
type world struct {
	t        tester
	now      time.Time
	woken    time.Time
	events   []*ledger.Event
	folds    *folding
	service  *Routing
	notices  []*ledger.Item
	nudged   bool
	versions int64
	commands int
	// given counts the offers of each group's pools.
	given map[string]int64
	// today counts the leads that each member of a group was given on a day that counts.
	today map[string]int64
	// check is called after every batch.
	check func(batch []*ledger.Event)
}

// folding is everything that is folded from the log.
type folding struct {
	register *agreement.Register
	roster   *Roster
	groups   *Groups
	people   *lead.People
	leads    map[string]*lead.State
	order    []string
}

func newFolding() *folding {
	return &folding{register: &agreement.Register{}, roster: NewRoster(), groups: NewGroups(), people: lead.NewPeople(), leads: map[string]*lead.State{}}
}

func (f *folding) apply(e *ledger.Event) {
	if id, ok := lead.FromSubject(e.Subject); ok {
		s := f.leads[id]
		if s == nil {
			s = &lead.State{ID: id}
			f.leads[id] = s
			f.order = append(f.order, id)
		}
		s.Evolve(e.Body, e.Occurred, e.Recorded)
		s.Remember(e.Cause, e.Seq)
	}
	if f.register != nil {
		f.register.Apply(e)
	}
	f.people.Evolve(e.Subject, e.Seq, e.Occurred, e.Recorded, e.Body)
	f.roster.Apply(e)
	f.groups.Apply(e)
}

func (f *folding) lead(id string) (*lead.State, error) {
	if s := f.leads[id]; s != nil {
		return s, nil
	}
	return &lead.State{}, nil
}

// state is a lead as an auditor has it.
func (f *folding) state(id string) *lead.State {
	if s := f.leads[id]; s != nil {
		return s
	}
	return &lead.State{ID: id}
}

// newWorld has an agreement in force and its people at work.
func newWorld(t tester, doc []byte, members ...string) *world {
	t.Helper()
	f := newFolding()
	w := &world{t: t, now: monday, folds: f, service: New(f.register, f.roster, f.groups, f.people), given: map[string]int64{}, today: map[string]int64{}, check: func([]*ledger.Event) {}}
	for _, m := range members {
		w.roster(&routingv1.MemberAdded{Member: m, Roles: []string{"sales"}})
	}
	if doc != nil {
		w.agree(doc, w.now)
	}
	w.settle()
	return w
}

// record appends events as somebody's batch and folds them.
func (w *world) record(service string, drafts ...ledger.Draft) {
	w.t.Helper()
	basis := uint64(len(w.events))
	var batch []*ledger.Event
	for _, d := range drafts {
		// What is folded is what was written: through the wire and back.
		raw, err := proto.Marshal(d.Body)
		if err != nil {
			w.t.Fatalf("%T cannot be written: %v", d.Body, err)
		}
		body := d.Body.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(raw, body); err != nil {
			w.t.Fatalf("%T cannot be read: %v", d.Body, err)
		}
		e := &ledger.Event{
			Seq: uint64(len(w.events)+len(batch)) + 1, Subject: d.Subject, Type: string(body.ProtoReflect().Descriptor().FullName()), Service: service,
			Occurred: d.Occurred, Recorded: w.now, Cause: d.Cause, Actor: d.Actor, Agreement: d.Agreement, Logic: d.Logic, Body: body,
		}
		if e.Occurred.IsZero() {
			e.Occurred = w.now
		}
		if e.Logic != "" {
			e.Basis = basis
		}
		batch = append(batch, e)
	}
	// An auditor who has folded up to the basis makes the same decisions.
	var decisions []*ledger.Event
	for _, e := range batch {
		if e.Logic != "" {
			decisions = append(decisions, e)
		}
	}
	if len(decisions) > 0 {
		for seq, why := range Rederive(w.folds.groups, w.folds.roster, w.folds.register, w.folds.people, w.folds.state, decisions) {
			w.t.Errorf("record %d cannot be derived again: %s", seq, why)
		}
	}
	for _, e := range batch {
		w.events = append(w.events, e)
		w.folds.apply(e)
		item := &ledger.Item{Seq: e.Seq, Type: e.Type, Cause: fmt.Sprintf("event:%d", e.Seq)}
		if id, ok := lead.FromSubject(e.Subject); ok {
			item.Lead = id
		} else if !strings.HasPrefix(e.Subject, "org.") {
			continue
		}
		w.notices = append(w.notices, item)
	}
	w.check(batch)
}

// say is what another service says about a lead.
func (w *world) say(service, id string, bodies ...proto.Message) {
	w.t.Helper()
	var drafts []ledger.Draft
	for i, body := range bodies {
		drafts = append(drafts, ledger.Draft{Subject: lead.SubjectOf(id), Body: body, Cause: fmt.Sprintf("%s:%d:%d", service, len(w.events), i)})
	}
	w.record(service, drafts...)
}

// qualify brings a new MQL of a company of that size; nobody has looked yet.
func (w *world) qualify(id string, employees int64) {
	w.t.Helper()
	w.say("intake", id, &leadv1.LeadReceived{
		SourceId: "s1", Source: "web", SubmissionId: "u-" + id, ReceivedAt: timestamppb.New(w.now), Features: &leadv1.Features{HasEmail: true, Country: "DE", Employees: employees},
	}, &leadv1.PersonAttached{PersonId: "p-" + id, MatchedBy: "new"})
	w.say("qualification", id, mql())
}

func mql() *leadv1.LeadQualified {
	return &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 1, Explanation: &leadv1.Explanation{Summary: "fits"}}
}

func nurtured(reason string) *leadv1.LeadNurtured {
	return &leadv1.LeadNurtured{AgreementVersion: 1, Reason: reason, Explanation: &leadv1.Explanation{Summary: "not yet"}}
}

// roster says something about a member.
func (w *world) roster(body proto.Message) {
	w.t.Helper()
	w.record(Name, ledger.Draft{Subject: "org.member.m", Body: body})
}

func (w *world) away(member string, until time.Time) {
	w.t.Helper()
	body := &routingv1.AvailabilityChanged{Member: member, Away: true}
	if !until.IsZero() {
		body.Until = timestamppb.New(until)
	}
	w.roster(body)
}

func (w *world) back(member string) {
	w.t.Helper()
	w.roster(&routingv1.AvailabilityChanged{Member: member})
}

// agree puts another document in force from an instant.
func (w *world) agree(doc []byte, from time.Time) {
	w.t.Helper()
	w.versions++
	w.record("agreement",
		ledger.Draft{Subject: agreement.Subject, Body: &agreementv1.AgreementProposed{Version: w.versions, Document: doc, Digest: make([]byte, 32)}},
		ledger.Draft{Subject: agreement.Subject, Body: &agreementv1.AgreementSigned{Version: w.versions, Party: "marketing"}},
		ledger.Draft{Subject: agreement.Subject, Body: &agreementv1.AgreementSigned{Version: w.versions, Party: "sales", InForceFrom: timestamppb.New(from)}})
	if w.folds.register.Version(w.versions).Agreement == nil {
		_, err := agreement.Compile(doc)
		w.t.Fatalf("the edited agreement does not compile: %v", err)
	}
}

// handle works items as one batch, as the desk does; it says whether the log
// has moved.
func (w *world) handle(items ...*ledger.Item) bool {
	w.t.Helper()
	drafts, err := w.service.decide(w.now, w.folds.lead, items)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	if len(drafts) > 0 {
		w.record(Name, drafts...)
	}
	aboutNone := slices.ContainsFunc(items, func(item *ledger.Item) bool { return item.Lead == "" && item.Command == nil })
	if (len(drafts) > 0 || aboutNone) && len(w.ready()) > 0 {
		w.nudged = true
	}
	return len(drafts) > 0
}

func (w *world) ready() []*ledger.Item {
	items := w.service.wake(w.now, uint64(len(w.events)), w.folds.lead)
	if len(items) == 0 {
		w.woken = w.now
	}
	return items
}

// command carries one out and answers its refusal.
func (w *world) command(id, actor string, cmd any) error {
	w.t.Helper()
	w.commands++
	item := &ledger.Item{Lead: id, Actor: actor, Command: cmd, Cause: fmt.Sprintf("cmd:%d", w.commands)}
	w.handle(item)
	return item.Err
}

func (w *world) accept(id, member string) error {
	w.t.Helper()
	return w.command(id, member, &accept{member})
}

func (w *world) reject(id, member, reason string) error {
	w.t.Helper()
	return w.command(id, member, &reject{member: member, reason: reason})
}

// settle works until nothing is left to do at this instant.
func (w *world) settle() {
	w.t.Helper()
	for range 10_000 {
		due := w.service.due(w.woken)
		switch {
		case len(w.notices) > 0:
			n := min(len(w.notices), 100)
			items := w.notices[:n]
			w.notices = w.notices[n:]
			w.handle(items...)
		case w.nudged || (!due.IsZero() && !due.After(w.now)):
			w.nudged = false
			items := w.ready()
			if len(items) > 0 && !w.handle(items...) {
				w.t.Fatalf("woken for %d leads, the first is %s, and had nothing to say", len(items), items[0].Lead)
			}
			if len(items) > 0 {
				w.nudged = true
			}
		default:
			return
		}
	}
	w.t.Fatalf("it never comes to rest")
}

// until moves the clock on, from one thing that falls due to the next.
func (w *world) until(t time.Time) {
	w.t.Helper()
	for range 10_000 {
		due := w.service.due(w.woken)
		if due.IsZero() || due.After(t) {
			w.now = t
			w.settle()
			return
		}
		if due.After(w.now) {
			w.now = due
		}
		w.settle()
	}
	w.t.Fatalf("the clock never gets to %s", t)
}

// said are the messages about a lead since a sequence, without what others said.
func (w *world) said(id string, since int) (out []proto.Message) {
	for _, e := range w.events[since:] {
		if e.Subject == lead.SubjectOf(id) && e.Service == Name {
			out = append(out, e.Body)
		}
	}
	return out
}

// last is the newest routing message about a lead.
func (w *world) last(id string) proto.Message {
	said := w.said(id, 0)
	if len(said) == 0 {
		return nil
	}
	return said[len(said)-1]
}
