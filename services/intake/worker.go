package intake

import (
	"context"
	"errors"
	"fmt"

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
	Register *agreement.Register
}

// refusal is a delivery that yields no lead.
type refusal struct {
	ref      *leadv1.DeliveryRef
	sourceID string
	fault    string
	text     string
	trace    string
}

// Handle returns nil once every delivery of the records has its outcome.
func (w *Worker) Handle(ctx context.Context, records []ledger.Kept) error {
	var tasks []*task
	var refusals []refusal
	for _, kept := range records {
		for i, d := range kept.Record.GetDeliveries() {
			ref := &leadv1.DeliveryRef{DeliveryId: d.GetDeliveryId(), Sequence: kept.Seq, Index: uint32(i), Digest: d.GetDigest()}
			more, err := w.open(ctx, d, ref)
			if err != nil {
				if fault.Is(err, fault.Unavailable) {
					return err
				}
				refusals = append(refusals, refused(d, ref, err))
				continue
			}
			tasks = append(tasks, more...)
		}
	}
	for len(tasks) > 0 {
		n := min(len(tasks), batchTasks)
		if err := w.settle(ctx, tasks[:n]); err != nil {
			return err
		}
		tasks = tasks[n:]
	}
	return w.refuse(ctx, refusals)
}

func refused(d *intakev1.Delivery, ref *leadv1.DeliveryRef, err error) refusal {
	kind := "unreadable"
	switch fault.Of(err) {
	case fault.NotFound:
		kind = "key-gone"
	case fault.Corrupt:
		kind = "seal-broken"
	}
	return refusal{ref: ref, sourceID: d.GetSourceId(), fault: kind, text: err.Error(), trace: d.GetTraceparent()}
}

// open unseals, reads and maps one delivery. A bad one sets itself aside.
func (w *Worker) open(ctx context.Context, d *intakev1.Delivery, ref *leadv1.DeliveryRef) (tasks []*task, err error) {
	defer func() {
		if p := recover(); p != nil {
			tasks, err = nil, fault.New(fault.Invalid, "the body cannot be mapped: %T while reading it", p)
		}
	}()
	plain, err := w.Keys.Open(ctx, d.GetBody(), aad(d))
	if err != nil {
		return nil, err
	}
	var body intakev1.DeliveryBody
	if err := proto.Unmarshal(plain, &body); err != nil {
		return nil, fault.New(fault.Invalid, "the kept body cannot be decoded")
	}
	var source *intakev1.SourceDeclared
	var rules Vocabulary
	w.Log.Follower().View(func(v *ledger.View) {
		source = w.Sources.byID[d.GetSourceId()]
		if version := w.Register.InForce(v.Now); version != nil {
			rules = version.Agreement
		}
	})
	if source == nil {
		return nil, fault.New(fault.Invalid, "the source of this delivery is not known to the log")
	}
	if sub := body.GetSubmission(); sub != nil {
		return []*task{w.task(ctx, d, ref, source, mapped(sub), sub.GetExternalId(), d.GetDeliveryId(), canonical(sub))}, nil
	}
	fields, err := ParseDelivery(d, &body)
	if err != nil {
		return nil, err
	}
	for i, item := range fields.Items {
		r := proto.Clone(ref).(*leadv1.DeliveryRef)
		r.Item = uint32(i)
		if i > 0 {
			r.DeliveryId += fmt.Sprintf("-%d", i)
		}
		name, stand := Identity(fields, i, body.GetIdempotencyKey(), d.GetDeliveryId())
		tasks = append(tasks, w.task(ctx, d, r, source, Map(item, rules, source), name, stand, item.Canonical()))
	}
	if len(tasks) == 0 {
		return nil, fault.New(fault.Invalid, "the body holds no submission")
	}
	return tasks, nil
}

func (w *Worker) task(ctx context.Context, d *intakev1.Delivery, ref *leadv1.DeliveryRef, src *intakev1.SourceDeclared, m Mapped, name, stand string, canonical []byte) *task {
	ids := Ids{w.Keys}
	t := &task{ref: ref, delivery: d, source: src, mapped: m, named: name != ""}
	t.submissionID = ids.Submission(src.GetSourceId(), name, stand)
	t.leadID = ids.Lead(t.submissionID)
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
		r := refusal{ref: t.ref, sourceID: t.source.GetSourceId(), fault: fault.Of(one).String(), text: one.Error(), trace: t.trace}
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
	if err := w.admit(ctx, tasks); err != nil {
		return err
	}
	_, err := w.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		b := &outcomes{view: v, leads: map[string]*lead.State{}}
		for _, t := range tasks {
			if err := b.add(t); err != nil {
				return nil, err
			}
		}
		return b.drafts, nil
	})
	return err
}

// admit asks the key store for keys, persons and equal bodies: one transaction,
// one sync, before any event that needs them.
func (w *Worker) admit(ctx context.Context, tasks []*task) error {
	var asked []*task
	var admissions []keys.Admission
	var failed error
	w.Log.Follower().View(func(v *ledger.View) {
		for _, t := range tasks {
			s, err := v.Lead(t.leadID)
			if err != nil {
				failed = err
				return
			}
			if s.ID != "" && (s.Delivered(t.ref.GetDeliveryId()) || string(s.BodyMAC) == string(t.mac)) {
				continue
			}
			plain, err := t.personal()
			if err != nil {
				failed = err
				return
			}
			a := keys.Admission{
				LeadID: t.leadID, KeyID: t.keyID(Ids{w.Keys}, s.ID != ""), SourceID: t.source.GetSourceId(), Plain: plain, AAD: []byte(t.leadID),
				Email: t.mapped.Email, Phone: t.mapped.Phone, ReceivedAt: t.delivery.GetReceivedAt().AsTime(),
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
	for len(refusals) > 0 {
		n := min(len(refusals), batchTasks)
		some := refusals[:n]
		refusals = refusals[n:]
		_, err := w.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
			var drafts []ledger.Draft
			for _, r := range some {
				token := r.ref.GetDeliveryId()
				if !lead.Safe(token) {
					token = lead.ID("x", w.Keys.MAC("refusal", []byte(token)))
				}
				subject := "org.refusal." + token
				if v.Place(subject).Seq != 0 {
					continue
				}
				drafts = append(drafts, ledger.Draft{
					Subject: subject, Cause: r.ref.GetDeliveryId(), TraceParent: r.trace,
					Body: &intakev1.DeliveryRefused{Delivery: r.ref, SourceId: r.sourceID, Fault: r.fault, Text: r.text},
				})
			}
			return drafts, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
