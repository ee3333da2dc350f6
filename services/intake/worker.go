package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
	"github.com/leadbaton/baton/services/lead"
)

// batchTasks is how many submissions share one batch of LEDGER.
const batchTasks = 100

// Worker turns kept deliveries into outcomes.
type Worker struct {
	Log      *ledger.Ledger
	Keys     *keys.Store
	Sources  *Sources
	Held     *Held
	Tally    *Tally
	Register *agreement.Register
	People   *People
	// Domains knows free and disposable providers; nil = the best known.
	Domains *Domains
	// Accounts are the companies that are known; nil = none are.
	Accounts *Accounts
	Touches  *Touches
	// Names are the ids that stand for one submission; nil = none do.
	Names *Names
	// Keep keeps what a source answers when it is asked for details, and Details
	// asks; nil = nobody does, and what lacks details waits.
	Keep    Keeper
	Details DetailsReader
	// Logger takes what an operator should know; nil = nothing is logged.
	Logger *slog.Logger

	// waits is the instant for which the worker of held deliveries waits.
	waits atomic.Int64
}

// refusal is a delivery that yields no lead.
type refusal struct {
	ref      *leadv1.DeliveryRef
	sourceID string
	fault    string
	text     string
	trace    string
	out      release
}

// worked is what is to be said about deliveries.
type worked struct {
	tasks    []*task
	holds    []hold
	refusals []refusal
	known    []release
}

func (o *worked) add(more worked) {
	o.tasks, o.holds = append(o.tasks, more.tasks...), append(o.holds, more.holds...)
	o.refusals, o.known = append(o.refusals, more.refusals...), append(o.known, more.known...)
}

// Handle returns nil once every delivery of the records has its outcome.
func (w *Worker) Handle(ctx context.Context, records []ledger.Kept) error {
	var all worked
	for _, kept := range records {
		for i, d := range kept.Record.GetDeliveries() {
			one, err := w.open(ctx, d, refOf(kept.Seq, i, d), release{})
			if err != nil {
				return err
			}
			all.add(one)
		}
	}
	return w.say(ctx, all)
}

// refOf cites a delivery of a record.
func refOf(seq uint64, index int, d *intakev1.Delivery) *leadv1.DeliveryRef {
	return &leadv1.DeliveryRef{
		DeliveryId: d.GetDeliveryId(), Sequence: seq, Index: uint32(index), Digest: d.GetDigest(), ReceivedAt: d.GetReceivedAt(), // #nosec G115 -- a record holds a few hundred
	}
}

// say says it all, what opens leads first.
func (w *Worker) say(ctx context.Context, all worked) error {
	for some := range slices.Chunk(all.tasks, batchTasks) {
		if err := w.settle(ctx, some); err != nil {
			return err
		}
	}
	if err := w.hold(ctx, all.holds); err != nil {
		return err
	}
	if err := w.refuse(ctx, all.refusals); err != nil {
		return err
	}
	return w.know(ctx, all.known)
}

func refused(d *intakev1.Delivery, ref *leadv1.DeliveryRef, err error, out release) refusal {
	kind := "unreadable"
	switch fault.Of(err) {
	case fault.NotFound:
		kind = "key-gone"
	case fault.Corrupt:
		kind = "seal-broken"
	}
	return refusal{ref: ref, sourceID: d.GetSourceId(), fault: kind, text: err.Error(), trace: d.GetTraceparent(), out: out}
}

// open finds out what is to be said about one delivery. One that cannot be read
// sets itself aside; only what passes is an error.
func (w *Worker) open(ctx context.Context, d *intakev1.Delivery, ref *leadv1.DeliveryRef, out release) (worked, error) {
	source, rules, begun := w.stands(d, ref)
	if out.ref == nil && w.paused(ref) {
		return worked{}, nil
	}
	if source != nil && !Working(source) && d.GetDetailsOf() == "" && !begun && out.ref == nil {
		return worked{holds: []hold{{ref: ref, sourceID: d.GetSourceId(), why: whyPaused, trace: d.GetTraceparent()}}}, nil
	}
	read := w.read
	if d.GetDetailsOf() != "" {
		read = w.details
	}
	got, err := guarded(func() (worked, error) { return read(ctx, d, ref, source, rules, out) })
	switch {
	case err == nil:
		return got, nil
	case fault.Is(err, fault.Unavailable), ctx.Err() != nil:
		return worked{}, err
	}
	return worked{refusals: []refusal{refused(d, ref, err, out)}}, nil
}

// guarded turns a panic into a fault: a bad body harms no other.
func guarded(read func() (worked, error)) (got worked, err error) {
	defer func() {
		if p := recover(); p != nil {
			got, err = worked{}, fault.New(fault.Invalid, "the body cannot be mapped: %T while reading it", p)
		}
	}()
	return read()
}

// stands answers a delivery's source (nil = it is not known), the words in force,
// and whether something was said about the delivery before.
func (w *Worker) stands(d *intakev1.Delivery, ref *leadv1.DeliveryRef) (source *intakev1.SourceDeclared, rules Vocabulary, begun bool) {
	w.Log.Follower().View(func(v *ledger.View) {
		source = w.Sources.byID[d.GetSourceId()]
		if version := w.Register.InForce(v.Now); version != nil {
			rules = version.Agreement
		}
		begun = w.Tally.worked(keptAtOf(ref))
	})
	return source, rules, begun
}

// paused says whether a delivery is held already.
func (w *Worker) paused(ref *leadv1.DeliveryRef) (held bool) {
	w.Log.Follower().View(func(*ledger.View) {
		stands := w.Held.waits[ref.GetDeliveryId()]
		held = stands != nil && stands.why == whyPaused
	})
	return held
}

// body unseals what a delivery holds.
func (w *Worker) body(ctx context.Context, d *intakev1.Delivery) (*intakev1.DeliveryBody, error) {
	return openBody(ctx, w.Keys, d)
}

func openBody(ctx context.Context, store *keys.Store, d *intakev1.Delivery) (*intakev1.DeliveryBody, error) {
	plain, err := store.Open(ctx, d.GetBody(), aad(d))
	if err != nil {
		return nil, err
	}
	body := &intakev1.DeliveryBody{}
	if err := proto.Unmarshal(plain, body); err != nil {
		return nil, fault.New(fault.Invalid, "the kept body cannot be decoded")
	}
	return body, nil
}

// read maps one delivery.
func (w *Worker) read(ctx context.Context, d *intakev1.Delivery, ref *leadv1.DeliveryRef, source *intakev1.SourceDeclared, rules Vocabulary, out release) (worked, error) {
	body, err := w.body(ctx, d)
	if err != nil {
		return worked{}, err
	}
	if source == nil {
		return worked{}, fault.New(fault.Invalid, "the source of this delivery is not known to the log")
	}
	if sub := body.GetSubmission(); sub != nil {
		t := w.task(ctx, d, ref, source, w.Accounts.completed(worded(sub, rules, source, w.Domains, d.GetReceivedAt().AsTime()), w.Domains, rules), sub.GetExternalId(), d.GetDeliveryId(), canonical(sub))
		return worked{tasks: ending([]*task{t}, out)}, nil
	}
	if touch := body.GetTouch(); touch != nil {
		return worked{tasks: ending([]*task{w.touched(ctx, d, ref, source, touch)}, out)}, nil
	}
	fields, err := ParseDelivery(d, body, source)
	if err != nil {
		return worked{}, err
	}
	var got worked
	for i, item := range fields.Items {
		r := refOfItem(ref, i)
		m := w.Accounts.completed(understood(item, rules, source, w.Domains, d.GetReceivedAt().AsTime()), w.Domains, rules)
		if lacksDetails(source, m) {
			got.holds = append(got.holds, hold{ref: r, sourceID: d.GetSourceId(), why: whyDetails, trace: d.GetTraceparent()})
			continue
		}
		name, stand := Identity(fields, i, body.GetIdempotencyKey(), d.GetDeliveryId())
		got.tasks = append(got.tasks, w.task(ctx, d, r, source, m, name, stand, item.Canonical()))
	}
	switch {
	case len(got.holds) > 0:
		// The first is said last and ends the wait: its name is the delivery's.
		slices.Reverse(got.holds)
		got.holds[len(got.holds)-1].out = out
		for _, t := range got.tasks {
			t.from = out
		}
	case len(got.tasks) > 0:
		ending(got.tasks, out)
	default:
		return worked{}, fault.New(fault.Invalid, "the body holds no submission")
	}
	return got, nil
}

// refOfItem cites one submission of a delivery; each but the first has a name of
// its own.
func refOfItem(ref *leadv1.DeliveryRef, i int) *leadv1.DeliveryRef {
	r := proto.Clone(ref).(*leadv1.DeliveryRef)
	r.Item = uint32(i) // #nosec G115 -- a body holds a thousand at most
	if i > 0 {
		r.DeliveryId += fmt.Sprintf("-%d", i)
	}
	return r
}

// ending lets the last of a delivery's outcomes end its wait: until then, a kill
// leaves it waiting, and the rest is said the next time.
func ending(tasks []*task, out release) []*task {
	tasks[len(tasks)-1].out = out
	for _, t := range tasks {
		t.from = out
	}
	return tasks
}

func (w *Worker) task(ctx context.Context, d *intakev1.Delivery, ref *leadv1.DeliveryRef, src *intakev1.SourceDeclared, m Mapped, name, stand string, canonical []byte) *task {
	ids := Ids{w.Keys}
	t := &task{ref: ref, delivery: d, source: src, mapped: m, named: name != ""}
	t.submissionID = ids.Submission(src.GetSourceId(), name, stand)
	t.leadID = ids.Lead(t.submissionID)
	t.names = ids.aliases(src.GetSourceId(), name, &t.mapped)
	t.mac = w.Keys.MAC("body", []byte(src.GetSourceId()), canonical)
	spanned, span := telemetry.StartProcess(telemetry.WithLead(ctx, t.leadID), d.GetTraceparent(), ledger.StreamIntake, Name)
	if t.trace = telemetry.Inject(spanned); t.trace == "" {
		t.trace = d.GetTraceparent()
	}
	t.end = func(err error) { telemetry.End(span, err) }
	return t
}

// settle gives a batch of tasks their outcomes; where one of them is refused,
// each is settled alone.
func (w *Worker) settle(ctx context.Context, tasks []*task) (err error) {
	defer func() {
		for _, t := range tasks {
			t.end(err)
		}
	}()
	err = w.write(ctx, tasks)
	if err == nil || ctx.Err() != nil || passing(err) {
		return err
	}
	for _, t := range tasks {
		one := w.write(ctx, []*task{t})
		if one == nil {
			continue
		}
		if passing(one) || ctx.Err() != nil {
			return one
		}
		r := refusal{ref: t.ref, sourceID: t.source.GetSourceId(), fault: fault.Of(one).String(), text: one.Error(), trace: t.trace, out: t.out}
		if err := w.refuse(ctx, []refusal{r}); err != nil {
			return err
		}
	}
	return nil
}

// passing says whether a fault is one of the moment, not of the delivery.
func passing(err error) bool {
	switch fault.Of(err) {
	case fault.Unavailable, fault.Full, fault.Corrupt, fault.Conflict:
		return true
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// write admits what is new to the key store, synced, and then says what became
// of each submission.
func (w *Worker) write(ctx context.Context, tasks []*task) error {
	w.place(tasks)
	if err := w.admit(ctx, tasks); err != nil {
		return err
	}
	if err := w.look(ctx, tasks); err != nil {
		return err
	}
	_, err := w.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		b := &outcomes{view: v, people: w.People, held: w.Held, accounts: w.Accounts, domains: w.Domains, leads: map[string]*lead.State{}, chain: newChain(w.Names)}
		for _, t := range tasks {
			if err := b.add(t); err != nil {
				return nil, err
			}
			if t.out.ends(w.Held) {
				b.drafts = append(b.drafts, t.out.draft(t.trace))
			}
		}
		return b.drafts, nil
	})
	if err != nil {
		return err
	}
	return w.arrived(ctx, tasks)
}

// place finds the lead of each submission that goes by several ids, those before
// it in the batch among them.
func (w *Worker) place(tasks []*task) {
	w.Log.Follower().View(func(*ledger.View) {
		c := newChain(w.Names)
		for _, t := range tasks {
			if len(t.names) == 0 {
				continue
			}
			own := Ids{w.Keys}.Lead(t.submissionID)
			was := t.leadID
			if t.leadID, t.replaced = c.lead(t.names, own); t.leadID != was {
				t.grant = nil
			}
			if t.speaks() {
				c.name(t.names, t.source.GetSourceId(), t.leadID)
			}
		}
	})
}

// admit asks the key store for keys, persons and equal bodies: one transaction,
// one sync, before any event that needs them.
func (w *Worker) admit(ctx context.Context, tasks []*task) error {
	var asked []*task
	var admissions []keys.Admission
	var failed error
	w.Log.Follower().View(func(v *ledger.View) {
		for _, t := range tasks {
			if t.touch != nil || t.mapped.Ignored != "" {
				continue // it makes nobody known
			}
			s, err := v.Lead(t.leadID)
			if err != nil {
				failed = err
				return
			}
			if s.ID != "" && (t.replaced || s.Delivered(t.ref.GetDeliveryId()) || string(s.BodyMAC) == string(t.mac)) {
				continue
			}
			plain, err := t.personal()
			if err != nil {
				failed = err
				return
			}
			a := keys.Admission{
				LeadID: t.leadID, KeyID: t.keyID(Ids{w.Keys}, s.ID != ""), SourceID: t.source.GetSourceId(), Plain: plain, AAD: []byte(t.leadID),
				Email: EmailKey(t.mapped.Email), Phone: t.mapped.Phone, Likeness: t.mapped.likeness(w.Domains), ReceivedAt: t.delivery.GetReceivedAt().AsTime(),
			}
			if !t.named {
				a.BodyMAC = t.mac
			}
			asked, admissions = append(asked, t), append(admissions, a)
		}
	})
	if failed != nil || len(admissions) == 0 {
		return failed
	}
	grants, err := w.Keys.Admit(ctx, admissions)
	if err != nil {
		return err
	}
	for i := range asked {
		asked[i].grant = &grants[i]
	}
	return nil
}

// refuse records deliveries that yield no lead. What stands already is not said
// again.
func (w *Worker) refuse(ctx context.Context, refusals []refusal) error {
	for some := range slices.Chunk(refusals, batchTasks) {
		_, err := w.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
			var drafts []ledger.Draft
			for _, r := range some {
				if subject := w.refusalSubject(r.ref); v.Place(subject).Seq == 0 {
					drafts = append(drafts, ledger.Draft{
						Subject: subject, Cause: r.ref.GetDeliveryId(), TraceParent: r.trace,
						Body: &intakev1.DeliveryRefused{Delivery: r.ref, SourceId: r.sourceID, Fault: r.fault, Text: r.text},
					})
				}
				if r.out.ends(w.Held) {
					drafts = append(drafts, r.out.draft(r.trace))
				}
			}
			return drafts, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
