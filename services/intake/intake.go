// Package intake is the door: it verifies what comes, keeps it before it
// answers, puts it into Baton's words, and finds out who it is.
//
// It promises: a delivery that was answered with success is on disk; it ends
// in exactly one outcome in LEDGER (a new lead, a repeat, a revision, a touch
// that joined a lead or waits for one, a refusal or an ignored event that says
// why, or a wait that says for what); the same submission is one lead for ever, and the same touch
// one touch; one bad delivery harms no other; and nothing personal leaves the
// seal.
//
// It hears INTAKE; it says LeadReceived, LeadRemapped, SubmissionRepeated,
// SubmissionRevised, TouchAdded, TouchJoined, TouchWaiting, LeadRefused,
// PersonAttached, AccountMatched, LeadAttached, LeadDetached, MatchSuggested,
// DeliveryRefused, DeliveryIgnored, DeliveryHeld, DeliveryReleased,
// SubmissionNamed and SourceDeclared.
package intake

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
	"github.com/leadbaton/baton/services/lead"
)

// Name is the service's one word.
const Name = "intake"

// Ids makes the ids that repeat themselves: they follow from what the sender
// says and from the system's own key, so a retry needs no look-up.
type Ids struct{ Keys *keys.Store }

// Submission is the id of a submission: from the sender's own key, or from the
// delivery where it has none.
func (i Ids) Submission(sourceID, key, deliveryID string) string {
	if key != "" {
		return lead.ID("s", i.Keys.MAC("submission", []byte(sourceID), []byte("named"), []byte(key)))
	}
	return lead.ID("s", i.Keys.MAC("submission", []byte(sourceID), []byte("delivered"), []byte(deliveryID)))
}

// Lead is the id of the lead that a submission opens.
func (i Ids) Lead(submissionID string) string {
	return lead.ID("l", i.Keys.MAC("lead", []byte(submissionID)))
}

// Touch is the id of a touch, from its sender's own.
func (i Ids) Touch(sourceID, key string) string {
	return lead.ID("t", i.Keys.MAC("touch", []byte(sourceID), []byte(key)))
}

// aad binds a delivery's seal to the delivery, so that two cannot be swapped.
func aad(d *intakev1.Delivery) []byte {
	return []byte("delivery\x00" + d.GetDeliveryId() + "\x00" + d.GetSourceId())
}

// Keep seals deliveries under the day's key and hands them to the log's door.
type Keep struct {
	Keys *keys.Store
	Door *ledger.Door
}

// Keep implements Keeper.
func (k *Keep) Keep(ctx context.Context, d *intakev1.Delivery, body *intakev1.DeliveryBody) (err error) {
	ctx, span := telemetry.StartSend(ctx, ledger.StreamIntake)
	defer func() { telemetry.End(span, err) }()
	plain, err := proto.Marshal(body)
	if err != nil {
		return err
	}
	if d.Body, err = k.seal(ctx, d, plain); err != nil {
		return err
	}
	if trace := telemetry.Inject(ctx); trace != "" {
		d.Traceparent = trace
	}
	return k.Door.Keep(ctx, d)
}

// seal seals under the day's key. The key was made before its day; only a
// process that slept over it makes it now.
func (k *Keep) seal(ctx context.Context, d *intakev1.Delivery, plain []byte) (*leadv1.Sealed, error) {
	day := d.GetReceivedAt().AsTime()
	sealed, err := k.Keys.SealDay(day, plain, aad(d))
	if !fault.Is(err, fault.Unavailable) {
		return sealed, err
	}
	if err := k.Keys.EnsureDays(ctx, day, day.Add(24*time.Hour)); err != nil {
		return nil, err
	}
	return k.Keys.SealDay(day, plain, aad(d))
}

// task is one submission of a delivery on its way to its outcome.
type task struct {
	ref          *leadv1.DeliveryRef
	delivery     *intakev1.Delivery
	source       *intakev1.SourceDeclared
	submissionID string
	leadID       string
	named        bool
	names        []alias // ids of the sender's, its own first; nil = that alone
	replaced     bool    // a later submission took its place
	mapped       Mapped
	touch        *touching // set where it is a touch and no submission
	mac          []byte
	grant        *keys.Grant
	trace        string
	end          func(error)
	// from is the wait that the delivery came out of, and out is set on the last
	// of its tasks, which ends it.
	from, out release
}

// personal is the content that the submission's seal holds.
func (t *task) personal() ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(t.mapped.Submission.GetPersonal())
}

// keyID names the key of this body: a revision has its own.
func (t *task) keyID(ids Ids, revision bool) string {
	if revision {
		return lead.ID("rev-", ids.Keys.MAC("revision", []byte(t.leadID), []byte(t.ref.GetDeliveryId())))
	}
	return "sub-" + t.leadID
}
