package routing

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// The promise to the people: 32 with uneven weights, 10,000 leads. What is promised is
// held against the log alone: quota is added up here from the turns' own seats, as
// exact fractions.

const shareLeads = 10_000

// shareWeights are 32 uneven weights.
func shareWeights() []int64 {
	random := rand.New(rand.NewPCG(32, 5))
	out := make([]int64, 32)
	for i := range out {
		out[i] = 1 + random.Int64N(9)
	}
	out[31] = 60
	return out
}

func sharer(i int) string { return fmt.Sprintf("m%02d", i) }

// shareDocument is an agreement whose inside sales are those people.
func shareDocument(t tester, weights []int64, edits ...string) []byte {
	t.Helper()
	var members strings.Builder
	for i, w := range weights {
		fmt.Fprintf(&members, "      - member: %s\n        weight: %d\n", sharer(i), w)
	}
	return document(t, append([]string{"      - member: ana\n      - member: ben\n      - member: chloe\n", members.String()}, edits...)...)
}

// quotas add up what the log says of one pool.
type quotas struct {
	t      tester
	pool   string
	quota  map[string]*big.Rat
	got    map[string]int64
	turns  int64
	worst  *big.Rat
	holder map[string]string
	load   map[string]int64
}

func newQuotas(t tester, pool string) *quotas {
	return &quotas{t: t, pool: pool, quota: map[string]*big.Rat{}, got: map[string]int64{}, worst: new(big.Rat), holder: map[string]string{}, load: map[string]int64{}}
}

// step takes one step of the log: nobody holds a lead that somebody holds, and at
// every prefix nobody is a lead or more off quota.
func (q *quotas) step(step *routingv1.PoolStep) {
	q.t.Helper()
	switch step.GetKind() {
	case routingv1.StepKind_STEP_KIND_RELEASED:
		if q.holder[step.GetLeadId()] != step.GetMember() {
			q.t.Fatalf("%s is taken from %s, and was with %q", step.GetLeadId(), step.GetMember(), q.holder[step.GetLeadId()])
		}
		delete(q.holder, step.GetLeadId())
		q.load[step.GetMember()]--
		return
	case routingv1.StepKind_STEP_KIND_OFFERED:
	default:
		return
	}
	if other, held := q.holder[step.GetLeadId()]; held {
		q.t.Fatalf("%s is given to %s, and %s holds it", step.GetLeadId(), step.GetMember(), other)
	}
	q.holder[step.GetLeadId()] = step.GetMember()
	q.load[step.GetMember()]++
	if step.GetPool() != q.pool {
		return
	}
	var sum int64
	for _, w := range step.GetWeights() {
		sum += w
	}
	q.turns++
	q.got[step.GetMember()]++
	for i, m := range step.GetEligible() {
		if q.quota[m] == nil {
			q.quota[m] = new(big.Rat)
		}
		q.quota[m].Add(q.quota[m], big.NewRat(step.GetWeights()[i], sum))
		if off := q.off(m); off.Cmp(q.worst) > 0 {
			q.worst = off
		}
	}
	if q.worst.Cmp(big.NewRat(1, 1)) >= 0 {
		q.t.Fatalf("after turn %d of %s somebody is %s leads off quota", q.turns, q.pool, q.worst.FloatString(3))
	}
}

// off is how far somebody is from quota.
func (q *quotas) off(member string) *big.Rat {
	d := new(big.Rat).SetInt64(q.got[member])
	if q.quota[member] != nil {
		d.Sub(d, q.quota[member])
	}
	return d.Abs(d)
}

// Goes red if: the rotation is given up for who is most behind, a batch decides on
// what stood before it, a restart drops a fraction, or an edit begins anew.
func TestSharesOf32PeopleAtEveryPrefix(t *testing.T) {
	t.Parallel()
	weights := shareWeights()
	var people []string
	for i := range weights {
		people = append(people, sharer(i))
	}
	split := map[string]map[string]int64{}
	var mu sync.Mutex
	t.Run("all", func(t *testing.T) {
		for name, test := range map[string]struct {
			// bulk leads are decided as one batch.
			bulk int
			// every so many leads another process goes on, or the pool is edited.
			restart, edit int
			// leave is how many are on leave, by turns.
			leave int
		}{
			"one by one":      {bulk: 1},
			"in bulk":         {bulk: 100},
			"with restarts":   {bulk: 7, restart: 700},
			"with pool edits": {bulk: 20, edit: 400},
			"with leave":      {bulk: 20, leave: 500},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, shareDocument(t, weights, "capacity: 50", "capacity: 0"), people...)
				q := newQuotas(t, "inside-sales")
				w.check = func(batch []*ledger.Event) {
					for _, e := range batch {
						switch body := e.Body.(type) {
						case *routingv1.PoolAdvanced:
							for _, step := range body.GetSteps() {
								q.step(step)
							}
						case *leadv1.LeadOffered:
							// Read and derived again; what nobody looks at is let go.
							id, _ := lead.FromSubject(e.Subject)
							body.Considered, w.folds.leads[id].Considered = nil, nil
						}
					}
				}
				random := rand.New(rand.NewPCG(1, 1))
				away := ""
				var during, others int64
				for n := 0; n < shareLeads; n += test.bulk {
					if test.restart > 0 && n%test.restart == 0 {
						*w.folds.groups = *carriedOver(t, w.folds.groups)
					}
					if test.edit > 0 && n%test.edit == 0 && n > 0 {
						edited := slices.Clone(weights)
						for range 3 {
							edited[random.IntN(len(edited))] = 1 + random.Int64N(9)
						}
						w.agree(shareDocument(t, edited[:len(edited)-random.IntN(3)], "capacity: 50", "capacity: 0"), w.now)
					}
					if test.leave > 0 && n%test.leave == 0 {
						if away != "" {
							if q.got[away] != during {
								t.Errorf("%s was on leave and got %d", away, q.got[away]-during)
							}
							w.back(away)
						}
						away = sharer(random.IntN(len(weights)))
						during, others = q.got[away], q.turns
						w.away(away, time.Time{})
					}
					var items []*ledger.Item
					for i := n; i < min(n+test.bulk, shareLeads); i++ {
						id := fmt.Sprintf("l%05d", i)
						// By the agreement small companies are theirs.
						w.qualify(id, 80)
						items = append(items, &ledger.Item{Lead: id, Cause: "test:" + id})
					}
					w.notices = nil
					w.handle(items...)
				}
				if q.turns != shareLeads {
					t.Errorf("%d leads were given out, %d turns ran meanwhile", q.turns, q.turns-others)
				}
				t.Logf("%d leads; farthest from quota at any prefix: %s", q.turns, q.worst.FloatString(8))
				mu.Lock()
				defer mu.Unlock()
				split[name] = q.got
			})
		}
	})
	if t.Failed() {
		return
	}
	// The same leads in bulk, one by one and across restarts go to the same people.
	for _, name := range []string{"in bulk", "with restarts"} {
		for _, m := range people {
			if split[name][m] != split["one by one"][m] {
				t.Errorf("%s %s has %d leads, one by one %d", name, m, split[name][m], split["one by one"][m])
			}
		}
	}
}

// onLog is the service on a real log.
type onLog struct {
	log   *ledger.Ledger
	folds *folding
}

// foldingOn makes folds of the log's own.
type foldingOn struct{ *folding }

func (f foldingOn) Apply(e *ledger.Event) {
	if _, ok := lead.FromSubject(e.Subject); !ok {
		f.apply(e)
		return
	}
	// Leads are the log's own; whose they are is folded.
	f.people.Evolve(e.Subject, e.Seq, e.Occurred, e.Recorded, e.Body)
	f.roster.Apply(e)
}

func newOnLog(t *testing.T, doc []byte, people ...string) *onLog {
	t.Helper()
	dir := t.TempDir()
	o := &onLog{folds: newFolding()}
	var err error
	o.log, err = ledger.Open(t.Context(), ledger.Config{Dir: filepath.Join(dir, "data"), Outside: filepath.Join(dir, "points"), Name: "test", FreeFloor: 1, Clock: clock.NewVirtual(monday), Logger: slog.New(slog.DiscardHandler)}, foldingOn{o.folds})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.log.Close(); err != nil {
			t.Error(err)
		}
	})
	var drafts []ledger.Draft
	for _, m := range people {
		drafts = append(drafts, ledger.Draft{Subject: "org.member." + m, Body: &routingv1.MemberAdded{Member: m, Roles: []string{"sales"}, TokenHash: bytes.Repeat([]byte{1}, 32)}, Cause: "test:" + m})
	}
	o.write(t, Name, drafts)
	drafts = []ledger.Draft{{Subject: agreement.Subject, Body: &agreementv1.AgreementProposed{Version: 1, Document: doc, Digest: make([]byte, 32)}, Cause: "test:proposed"}}
	for i, party := range []string{agreement.Marketing, agreement.Sales} {
		body := &agreementv1.AgreementSigned{Version: 1, Party: party, Digest: make([]byte, 32), PublicKey: make([]byte, 32), Signature: make([]byte, 64)}
		if i == 1 {
			body.InForceFrom = timestamppb.New(monday)
		}
		drafts = append(drafts, ledger.Draft{Subject: agreement.Subject, Body: body, Cause: "test:signed:" + party})
	}
	o.write(t, "agreement", drafts)
	return o
}

func (o *onLog) write(t *testing.T, service string, drafts []ledger.Draft) {
	t.Helper()
	if _, err := o.log.Write(t.Context(), service, func(*ledger.View) ([]ledger.Draft, error) { return drafts, nil }); err != nil {
		t.Fatal(err)
	}
}

// burst brings so many new leads as one write of one client.
func (o *onLog) burst(t *testing.T, client, from, to int) {
	t.Helper()
	var received, decided []ledger.Draft
	for i := from; i < to; i++ {
		id := fmt.Sprintf("c%dl%05d", client, i)
		received = append(received, ledger.Draft{Subject: lead.SubjectOf(id), Cause: "test:r:" + id, Body: &leadv1.LeadReceived{
			SourceId: "s1", Source: "web", SubmissionId: "u-" + id, ReceivedAt: timestamppb.New(monday), Features: &leadv1.Features{HasEmail: true, Country: "DE", Employees: []int64{80, 80, 80, 80, 800}[i%5]},
		}})
		decided = append(decided, ledger.Draft{Subject: lead.SubjectOf(id), Cause: "test:q:" + id, Body: mql()})
	}
	o.write(t, "intake", received)
	o.write(t, "qualification", decided)
}

// read takes the log from its beginning.
func (o *onLog) read(t *testing.T, fn func(e *ledger.Event)) {
	t.Helper()
	last, err := o.log.Last(t.Context(), ledger.StreamLedger)
	if err != nil {
		t.Fatal(err)
	}
	err = o.log.Read(t.Context(), ledger.StreamLedger, 1, last, func(r *ledger.Record) error {
		e, err := r.Decode()
		if err == nil {
			fn(e)
		}
		return err
	}, func(seq uint64, why string) error { return fmt.Errorf("record %d: %s", seq, why) })
	if err != nil {
		t.Fatal(err)
	}
}

// Eight clients at once send 10,000 leads in bursts through the real log, while the
// desk decides: each lead goes to one person, nobody passes a capacity or a limit at
// any prefix of the log, and everybody has the leads that one by one would have given.
//
// Goes red if: a decision is not fenced by its pool's subject (leave PoolAdvanced out
// of the batch), or a batch does not count its own leads.
func TestParallelBursts(t *testing.T) {
	t.Parallel()
	leads := shareLeads
	if testing.Short() {
		leads = 1000
	}
	weights := shareWeights()
	var people []string
	for i := range weights {
		people = append(people, sharer(i))
	}
	people = append(people, "chloe", "dan")
	// Large companies are for two: chloe has room for 250, dan is given 200 on one day.
	o := newOnLog(t, shareDocument(t, weights, "capacity: 50", "capacity: 0", "capacity: 25", "capacity: 250", "      - member: dan\n", "      - member: dan\n        at_most:\n          day: 200\n"), people...)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	desk, err := o.log.Desk(ctx, New(o.folds.register, o.folds.roster, o.folds.groups, o.folds.people), ledger.DeskConfig{Durable: Name, Subjects: Hears})
	if err != nil {
		t.Fatal(err)
	}
	const clients, size = 8, 25
	began := time.Now()
	var busy sync.WaitGroup
	for client := range clients {
		busy.Go(func() {
			for from := 0; from < leads/clients; from += size {
				o.burst(t, client, from, min(from+size, leads/clients))
			}
		})
	}
	busy.Wait()
	for !desk.Idle(ctx) {
		if err := clock.Sleep(ctx, clock.Real{}, time.Now().Add(10*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(began)
	small, large := newQuotas(t, "inside-sales"), newQuotas(t, "large-companies")
	given, waiting := map[string]int64{}, 0
	offers := map[string]int{}
	o.read(t, func(e *ledger.Event) {
		switch body := e.Body.(type) {
		case *leadv1.LeadOffered:
			id, _ := lead.FromSubject(e.Subject)
			if offers[id]++; offers[id] > 1 {
				t.Errorf("%s is offered %d times", id, offers[id])
			}
		case *leadv1.LeadQueued:
			waiting++
		case *routingv1.PoolAdvanced:
			for _, step := range body.GetSteps() {
				small.step(step)
				large.step(step)
				if step.GetKind() != routingv1.StepKind_STEP_KIND_OFFERED || step.GetPool() != "large-companies" {
					continue
				}
				if given[step.GetMember()]++; given["dan"] > 200 || large.load[step.GetMember()] > 250 {
					t.Fatalf("record %d: %s was given %d and holds %d", e.Seq, step.GetMember(), given[step.GetMember()], large.load[step.GetMember()])
				}
			}
		}
	})
	inside := int64(leads) * 4 / 5
	if given["dan"] != min(200, int64(leads)/10) || given["chloe"] != min(250, int64(leads)/10) {
		t.Errorf("dan was given %d, chloe %d", given["dan"], given["chloe"])
	}
	if small.turns != inside || int64(len(offers)) != small.turns+large.turns || int(large.turns)+waiting != leads/5 {
		t.Errorf("of %d leads %d and %d were given, %d wait", leads, small.turns, large.turns, waiting)
	}
	// As one by one: the books depend on the turns alone.
	var one Rotation
	seats := make([]Seat, len(weights))
	for i, w := range weights {
		seats[i] = Seat{sharer(i), w}
	}
	for range inside {
		chosen, _ := one.Choose(seats)
		one.Take(seats, seats[chosen].Member)
	}
	for _, s := range seats {
		if d := small.got[s.Member] - one.Count(s.Member); d > 1 || d < -1 {
			t.Errorf("%s has %d leads, one by one %d", s.Member, small.got[s.Member], one.Count(s.Member))
		}
	}
	t.Logf("%d leads of %d clients in %v; farthest from quota at any prefix: %s and %s; chloe holds %d of 250, dan was given %d of 200; %d wait",
		leads, clients, took.Round(time.Millisecond), small.worst.FloatString(4), large.worst.FloatString(4), given["chloe"], given["dan"], waiting)
}
