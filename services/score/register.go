package score

import (
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Subject holds the life of the score.
const Subject = "org.score.main"

// RetrainAfter is how long after the last training the next one is due by
// itself. The first one somebody asks for.
const RetrainAfter = 30 * 24 * time.Hour

// Training is one model and what became of it.
type Training struct {
	// Model is the table with all that was said of it, Table its usable part; nil
	// = there is none.
	Model      *scorev1.Model
	Table      *Model
	Digest     []byte
	At         time.Time
	By         string
	Signatures []agreement.Signature
	cause      string
}

// SignedBy says whether a party has signed.
func (t *Training) SignedBy(party string) bool {
	return slices.ContainsFunc(t.Signatures, func(s agreement.Signature) bool { return s.Party == party })
}

// Agreed says whether a model may be used: it is better than chance, and both
// parties have signed it.
func (t *Training) Agreed() bool {
	return t.Model.GetVerdict() == scorev1.Verdict_VERDICT_USABLE && t.Table != nil && t.SignedBy(agreement.Marketing) && t.SignedBy(agreement.Sales)
}

// Register is the fold of the score's life: every model, in order. The zero
// value has none.
type Register struct {
	trainings []*Training
	switches  []switched
	nudge     func()
}

type switched struct {
	model int64
	on    bool
	at    time.Time
}

// Nudge sets what is called when another training may be due.
func (r *Register) Nudge(f func()) { r.nudge = f }

// Apply implements ledger.Fold.
func (r *Register) Apply(e *ledger.Event) {
	switch body := e.Body.(type) {
	case *scorev1.ScoreTrained:
		r.trainings = append(r.trainings, &Training{
			Model: body.GetModel(), Table: NewModel(body.GetModel()), Digest: body.GetDigest(), At: e.Recorded, By: e.Actor, cause: e.Cause,
		})
		if r.nudge != nil {
			r.nudge()
		}
	case *scorev1.ScoreSigned:
		if t := r.Training(body.GetModel()); t != nil {
			t.Signatures = append(t.Signatures, agreement.Signature{Party: body.GetParty(), At: e.Recorded, Actor: e.Actor, PublicKey: body.GetPublicKey()})
		}
	case *scorev1.ScoreSwitched:
		r.switches = append(r.switches, switched{body.GetModel(), body.GetOn(), e.Recorded})
	}
}

// Training answers one model; nil = there is none.
func (r *Register) Training(number int64) *Training {
	if number < 1 || number > int64(len(r.trainings)) {
		return nil
	}
	return r.trainings[number-1]
}

// by is the number of the training that a command brought about; 0 = it has not.
func (r *Register) by(cause string) int64 {
	for _, t := range r.trainings {
		if cause != "" && t.cause == cause {
			return t.Model.GetNumber()
		}
	}
	return 0
}

// Trainings are all models in the order of their trainings.
func (r *Register) Trainings() []*Training { return r.trainings }

// InForce is the model in force at an instant: the one last switched on and not
// off again. nil = none. Since says from when.
func (r *Register) InForce(at time.Time) (t *Training, since time.Time) {
	for _, s := range r.switches {
		if s.at.After(at) {
			break
		}
		switch {
		case s.on:
			if next := r.Training(s.model); next != nil && next.Agreed() {
				t, since = next, s.at
			}
		case t != nil && t.Model.GetNumber() == s.model:
			t = nil
		}
	}
	return t, since
}

// Model is the table in force at an instant; nil = none.
func (r *Register) Model(at time.Time) *Model {
	if t, _ := r.InForce(at); t != nil {
		return t.Table
	}
	return nil
}

// Due is when the next training is due by itself; zero = never.
func (r *Register) Due() time.Time {
	if last := r.last(); last != nil {
		return last.At.Add(RetrainAfter)
	}
	return time.Time{}
}

func (r *Register) last() *Training {
	if len(r.trainings) == 0 {
		return nil
	}
	return r.trainings[len(r.trainings)-1]
}

// lastLeads is how many of the last leads are held against a training.
const lastLeads = 1000

// Recent is the fold of the last leads that came, with what they came with.
type Recent struct {
	last []*leadv1.Features
	next int
}

// Apply implements ledger.Fold. Imported history is not what comes now.
func (r *Recent) Apply(e *ledger.Event) {
	body, ok := e.Body.(*leadv1.LeadReceived)
	if !ok || body.GetHistorical() {
		return
	}
	if len(r.last) < lastLeads {
		r.last = append(r.last, body.GetFeatures())
		return
	}
	r.last[r.next] = body.GetFeatures()
	r.next = (r.next + 1) % lastLeads
}
