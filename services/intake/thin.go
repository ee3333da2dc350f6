package intake

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// DetailsReader asks a thin source for what its delivery lacks.
type DetailsReader interface {
	// Read answers the body that the source has for one submission of a thin
	// delivery, and its content type. A fault says what is wrong without anything
	// of the content; whichever it is, the source is asked again later.
	Read(ctx context.Context, src *intakev1.SourceDeclared, item Item) (body []byte, contentType string, err error)
}

// lacksDetails says whether a delivery came without its answers, which have to be
// read where the source keeps them.
func lacksDetails(src *intakev1.SourceDeclared, m Mapped) bool {
	if src.GetDetails() == nil {
		return Thin(src, m)
	}
	p := m.Submission.GetPersonal()
	return m.Ignored == "" && !m.Submission.GetTest() && p.GetEmail() == "" && p.GetPhone() == ""
}

// ask asks for the details of one submission and keeps the answer through the
// door, as everything that comes from outside. What goes wrong is said, and when
// it is tried again; after 36 hours it is given up, and says why.
func (w *Worker) ask(ctx context.Context, waiting *wait) error {
	src, item, d, err := w.waitingItem(ctx, waiting)
	if err != nil {
		if fault.Is(err, fault.Unavailable) {
			return err
		}
		return w.refuse(ctx, []refusal{refused(&intakev1.Delivery{SourceId: waiting.sourceID}, waiting.ref, err, release{waiting.ref, howGivenUp})})
	}
	if w.Log.Clock().Now().Sub(waiting.since) > detailsLimit {
		return w.giveUp(ctx, waiting, waiting.fault)
	}
	body, contentType, err := w.Details.Read(ctx, src, item)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		// What cannot be read is not kept: the source is asked again.
		_, err = Parse(contentType, "", body)
	}
	if err != nil {
		return w.askAgain(ctx, waiting, err)
	}
	digest := sha256.Sum256(body)
	answer := &intakev1.Delivery{
		DeliveryId: newDeliveryID(), SourceId: src.GetSourceId(), ReceivedAt: timestamppb.New(w.Log.Clock().Now()),
		ContentType: contentType, Signed: d.GetSigned(), Digest: digest[:], Traceparent: d.GetTraceparent(), DetailsOf: waiting.ref.GetDeliveryId(),
	}
	if err := w.Keep.Keep(ctx, answer, &intakev1.DeliveryBody{Raw: body}); err != nil {
		return err
	}
	// The answer is a delivery like any other from here on. Should it come to
	// nothing, the source is asked again.
	return w.wait(ctx, waiting, "", nextRead(waiting.attempts+1, w.Log.Clock().Now()))
}

// waitingItem finds the submission that waits.
func (w *Worker) waitingItem(ctx context.Context, waiting *wait) (*intakev1.SourceDeclared, Item, *intakev1.Delivery, error) {
	d, err := w.kept(ctx, waiting.ref)
	if err != nil {
		return nil, Item{}, nil, err
	}
	src, _, _ := w.stands(d, waiting.ref)
	body, err := w.body(ctx, d)
	if err != nil {
		return nil, Item{}, nil, err
	}
	fields, err := ParseDelivery(d, body, src)
	if err != nil {
		return nil, Item{}, nil, err
	}
	if at := int(waiting.ref.GetItem()); src != nil && at < len(fields.Items) {
		return src, fields.Items[at], d, nil
	}
	return nil, Item{}, nil, fault.New(fault.Invalid, "the body does not hold the submission that waits")
}

// askAgain says that the details could not be had, and when somebody tries next.
func (w *Worker) askAgain(ctx context.Context, waiting *wait, cause error) error {
	now := w.Log.Clock().Now()
	text := shortened(cause.Error(), 500)
	if now.Sub(waiting.since) >= detailsLimit {
		return w.giveUp(ctx, waiting, text)
	}
	next := nextRead(waiting.attempts+1, now)
	if limit := waiting.since.Add(detailsLimit); next.After(limit) {
		next = limit
	}
	return w.wait(ctx, waiting, text, next)
}

// giveUp ends the wait for details without them.
func (w *Worker) giveUp(ctx context.Context, waiting *wait, text string) error {
	if text == "" {
		text = "its answers came to nothing"
	}
	return w.refuse(ctx, []refusal{{
		ref: waiting.ref, sourceID: waiting.sourceID, fault: "details-unread", out: release{waiting.ref, howGivenUp},
		text: "the source did not give the details in 36 hours; the last time: " + text,
	}})
}

// wait says when the details are asked for again.
func (w *Worker) wait(ctx context.Context, waiting *wait, text string, next time.Time) error {
	_, err := w.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		stands := w.Held.waits[waiting.ref.GetDeliveryId()]
		if stands == nil || stands.why != whyDetails || stands.attempts != waiting.attempts {
			return nil, nil // the details came, or somebody else asked
		}
		return []ledger.Draft{{
			Subject: deliverySubject(waiting.ref), Cause: waiting.ref.GetDeliveryId(), Position: int(3 + waiting.attempts),
			Body: &intakev1.DeliveryHeld{
				Delivery: waiting.ref, SourceId: waiting.sourceID, Why: whyDetails, Fault: text, Attempts: waiting.attempts + 1, NextAt: timestamppb.New(next),
			},
		}}, nil
	})
	return err
}

// details maps what a source answered: as the submission of the delivery that
// waited for it, with its id, its time and its signature.
func (w *Worker) details(ctx context.Context, d *intakev1.Delivery, ref *leadv1.DeliveryRef, source *intakev1.SourceDeclared, rules Vocabulary, _ release) (worked, error) {
	var waiting *wait
	w.Log.Follower().View(func(*ledger.View) {
		if stands := w.Held.waits[d.GetDetailsOf()]; stands != nil && stands.why == whyDetails {
			waiting = stands
		}
	})
	if waiting == nil {
		return worked{known: []release{{ref, howKnown}}}, nil
	}
	first, err := w.kept(ctx, waiting.ref)
	if err != nil {
		return worked{}, err
	}
	firstBody, err := w.body(ctx, first)
	if err != nil {
		return worked{}, err
	}
	firstFields, err := ParseDelivery(first, firstBody, source)
	if err != nil {
		return worked{}, err
	}
	body, err := w.body(ctx, d)
	if err != nil {
		return worked{}, err
	}
	fields, err := ParseDelivery(d, body, source)
	if err != nil {
		return worked{}, err
	}
	at := int(waiting.ref.GetItem())
	if source == nil || at >= len(firstFields.Items) || len(fields.Items) == 0 {
		return worked{}, fault.New(fault.Invalid, "the answer with the details holds no submission")
	}
	// The request came when the thin delivery did.
	ref = proto.Clone(ref).(*leadv1.DeliveryRef)
	ref.ReceivedAt = first.GetReceivedAt()
	name, stand := Identity(firstFields, at, firstBody.GetIdempotencyKey(), first.GetDeliveryId())
	var got worked
	for i, item := range fields.Items {
		key, place := name, stand
		if i > 0 {
			if key, place = Identity(fields, i, "", d.GetDeliveryId()); key != "" && name != "" {
				key = name + "#" + key
			}
		}
		t := w.task(ctx, d, refOfItem(ref, i), source, w.Accounts.completed(understood(item, rules, source, w.Domains, ref.GetReceivedAt().AsTime()), w.Domains, rules), key, place, item.Canonical())
		t.delivery = proto.Clone(d).(*intakev1.Delivery)
		t.delivery.ReceivedAt, t.delivery.Signed = first.GetReceivedAt(), first.GetSigned()
		got.tasks = append(got.tasks, t)
	}
	ending(got.tasks, release{waiting.ref, howDetails})
	return got, nil
}

// know says of answers with details that they had been read before, so that each
// delivery of INTAKE is spoken of.
func (w *Worker) know(ctx context.Context, known []release) error {
	for some := range slices.Chunk(known, heldAtOnce) {
		_, err := w.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
			var drafts []ledger.Draft
			for _, r := range some {
				if !w.Tally.worked(keptAtOf(r.ref)) {
					drafts = append(drafts, r.draft(""))
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
