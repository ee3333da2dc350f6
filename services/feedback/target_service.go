package feedback

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Unsealer opens what a Sealer sealed.
type Unsealer func(ctx context.Context, sealed *leadv1.Sealed, aad []byte) ([]byte, error)

// Targets keeps the quarters: who wants what, who has signed, what came of it.
type Targets struct {
	Log        *ledger.Ledger
	Quarters   *Quarters
	Agreements *agreement.Register
	Judge      Judge
	// Known says whether somebody works here; it is called within a view of the log.
	// nil = nobody can say.
	Known func(handle string) bool
	Seal  Sealer
	Open  Unsealer

	// counting is whose turn it is to count; whoever has it has the last count.
	once     sync.Once
	counting chan struct{}
	last     *counted
}

// propose puts targets on the table. The same call again is answered as the first was.
func (t *Targets) propose(ctx context.Context, req *feedbackv1.ProposeTargetsRequest) (*feedbackv1.Quarter, error) {
	actor, cause, err := commanded(ctx, "targets-propose", req.GetQuarter(), req.GetIdempotencyKey())
	if err != nil {
		return nil, err
	}
	_, err = t.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		quarter := t.Quarters.Quarter(req.GetQuarter())
		if done := quarter.by(cause); done != nil {
			if same := proto.Equal(&feedbackv1.TargetsProposed{Targets: done.GetTargets()}, &feedbackv1.TargetsProposed{Targets: req.GetTargets()}); !same {
				return nil, fault.New(fault.Conflict, "idempotency_key: it was used for other targets of %s: take a new one for each proposal", quarter.Name)
			}
			return nil, nil
		}
		if quarter != nil && quarter.Closed != nil {
			return nil, fault.New(fault.State, "%s was closed on %s; its targets stay as they were", quarter.Name, moment(quarter.ClosedAt))
		}
		version := t.Agreements.InForce(v.Now)
		if version == nil {
			return nil, fault.New(fault.State, "no agreement is in force, so nothing says what a quarter is and how leads are counted; baton agreement propose FILE begins")
		}
		from, to, err := version.Agreement.Year().Bounds(req.GetQuarter())
		if err != nil {
			return nil, err
		}
		if err := CheckTargets(req.GetTargets(), t.signed, t.Known); err != nil {
			return nil, err
		}
		body := &feedbackv1.TargetsProposed{
			Quarter: req.GetQuarter(), Revision: 1, Targets: req.GetTargets(), From: timestamppb.New(from), To: timestamppb.New(to), Why: req.GetWhy(),
		}
		if quarter != nil {
			body.Revision += int32(len(quarter.Revisions))
		}
		body.Digest = TargetsDigest(body)
		return []ledger.Draft{t.draft(body.GetQuarter(), cause, actor, version.Number, body)}, nil
	})
	return t.answer(ctx, req.GetQuarter(), err)
}

// signed is a version that both parties have signed; nil = there is none.
func (t *Targets) signed(number int64) *agreement.Agreement {
	return signedVersion(t.Agreements, number)
}

func signedVersion(agreements *agreement.Register, number int64) *agreement.Agreement {
	if version := agreements.Version(number); version != nil && !version.InForceFrom.IsZero() {
		return version.Agreement
	}
	return nil
}

// sign adds one party's signature, by the key that the agreement in force names.
func (t *Targets) sign(ctx context.Context, req *feedbackv1.SignTargetsRequest) (*feedbackv1.Quarter, error) {
	actor, _ := access.From(ctx)
	_, err := t.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		quarter, err := t.quarter(req.GetQuarter())
		if err != nil {
			return nil, err
		}
		revision := quarter.Revision(req.GetRevision())
		switch holds := quarter.Holds(); {
		case revision == nil:
			return nil, fault.New(fault.NotFound, "there is no revision %d of the targets of %s; baton target show %[2]s shows what there is", req.GetRevision(), quarter.Name)
		case revision.SignedBy(req.GetParty()):
			return nil, nil
		case quarter.Closed != nil:
			return nil, fault.New(fault.State, "%s was closed on %s; its targets stay as they were", quarter.Name, moment(quarter.ClosedAt))
		case holds != nil && holds.GetRevision() > revision.GetRevision():
			return nil, fault.New(fault.State, "revision %d of the targets of %s was signed by both since; propose these targets anew to return to them", holds.GetRevision(), quarter.Name)
		case !bytes.Equal(revision.GetDigest(), req.GetDigest()):
			return nil, fault.New(fault.Conflict, "what was signed is not revision %d of the targets of %s; read it again with baton target show %[2]s", revision.GetRevision(), quarter.Name)
		}
		if err := unclosed(t.Quarters.UnclosedBefore(quarter.Name, v.Now), quarter.Name); err != nil {
			return nil, err
		}
		if err := unplanned(t.Quarters.UnplannedBefore(quarter.Name), quarter.Name); err != nil {
			return nil, err
		}
		version := t.Agreements.InForce(v.Now)
		if version == nil {
			return nil, fault.New(fault.State, "no agreement is in force, so nothing says whose key signs for %s", req.GetParty())
		}
		if err := version.Agreement.Verify(req.GetParty(), SignedTargets, revision.GetDigest(), req.GetPublicKey(), req.GetSignature()); err != nil {
			return nil, err
		}
		return []ledger.Draft{t.draft(quarter.Name, fmt.Sprintf("targets-sign:%s:%d:%s", quarter.Name, revision.GetRevision(), req.GetParty()), actor.Handle, version.Number, &feedbackv1.TargetsSigned{
			Quarter: quarter.Name, Revision: revision.GetRevision(), Digest: revision.GetDigest(), Party: req.GetParty(), PublicKey: req.GetPublicKey(), Signature: req.GetSignature(),
		})}, nil
	})
	return t.answer(ctx, req.GetQuarter(), err)
}

// unclosed refuses to sign while it is not stated what came of a quarter that is over.
func unclosed(before []*Quarter, next string) error {
	var over []string
	for _, q := range before {
		over = append(over, fmt.Sprintf("%s, which ended on %s", q.Name, moment(q.Holds().GetTo().AsTime())))
	}
	if len(over) == 0 {
		return nil
	}
	return fault.New(fault.State, "nobody signs for %s before it is stated what came of each quarter that is over; still open is %s. Close it with baton quarter close %s (manager or operator)", next, strings.Join(over, "; "), before[0].Name)
}

// unplanned refuses to sign while what was missed before has neither owner nor plan.
func unplanned(before []*Quarter, next string) error {
	var missed []string
	for _, q := range before {
		missed = append(missed, fmt.Sprintf("%s: %s", q.Name, strings.Join(q.Unplanned(), ", ")))
	}
	if len(missed) == 0 {
		return nil
	}
	return fault.New(fault.State, "nobody signs for %s before each target that was missed has an owner and a recovery plan; still without are %s. Plan with baton quarter recover %s TARGET", next, strings.Join(missed, "; "), before[0].Name)
}

// close states what became of a quarter that is over.
func (t *Targets) close(ctx context.Context, req *feedbackv1.CloseQuarterRequest) (*feedbackv1.Quarter, error) {
	actor, cause, err := commanded(ctx, "quarter-close", req.GetQuarter(), req.GetIdempotencyKey())
	if err != nil {
		return nil, err
	}
	closable := func(v *ledger.View, q *Quarter) error {
		switch {
		case q.Closed != nil:
			return fault.New(fault.State, "%s was closed on %s, and what was stated then stays; baton quarter restate %[1]s counts it anew beside it", q.Name, moment(q.ClosedAt))
		case v.Now.Before(q.Holds().GetTo().AsTime()):
			return fault.New(fault.State, "%s is not over: it ends on %s, and it is %s", q.Name, moment(q.Holds().GetTo().AsTime()), moment(v.Now))
		}
		return nil
	}
	err = t.state(ctx, req.GetQuarter(), cause, actor, closable, func(q *Quarter, c *counted) proto.Message {
		return &feedbackv1.QuarterClosed{Quarter: q.Name, Revision: c.revision.GetRevision(), Sequence: c.sequence, Results: c.Results()}
	})
	return t.answer(ctx, req.GetQuarter(), err)
}

// restate counts a closed quarter anew, beside what was stated.
func (t *Targets) restate(ctx context.Context, req *feedbackv1.RestateQuarterRequest) (*feedbackv1.Quarter, error) {
	actor, cause, err := commanded(ctx, "quarter-restate", req.GetQuarter(), req.GetIdempotencyKey())
	if err != nil {
		return nil, err
	}
	closed := func(_ *ledger.View, q *Quarter) error {
		if q.Closed == nil {
			return fault.New(fault.State, "%s is open: there is nothing stated to count anew; baton quarter close %[1]s states it", q.Name)
		}
		return nil
	}
	err = t.state(ctx, req.GetQuarter(), cause, actor, closed, func(q *Quarter, c *counted) proto.Message {
		return &feedbackv1.QuarterRestated{Quarter: q.Name, Number: int32(len(q.Restated)) + 1, Sequence: c.sequence, Results: c.Results(), Why: req.GetWhy()}
	})
	return t.answer(ctx, req.GetQuarter(), err)
}

// state counts a quarter and says what came out, if that may be said before the count and
// still when it is written.
func (t *Targets) state(ctx context.Context, name, cause, actor string, may func(*ledger.View, *Quarter) error, said func(*Quarter, *counted) proto.Message) error {
	if err := t.Log.Fresh(ctx); err != nil {
		return err
	}
	ask := func(v *ledger.View) (q *Quarter, done bool, err error) {
		if q, err = t.quarter(name); err != nil {
			return nil, false, err
		}
		if q.did(cause) {
			return q, true, nil
		}
		if _, err := held(q); err != nil {
			return nil, false, err
		}
		return q, false, may(v, q)
	}
	var done bool
	var err error
	t.Log.Follower().View(func(v *ledger.View) { _, done, err = ask(v) })
	if done || err != nil {
		return err
	}
	return t.count(ctx, name, func(c *counted) error {
		_, err := t.Log.Write(context.WithoutCancel(ctx), Name, func(v *ledger.View) ([]ledger.Draft, error) {
			q, done, err := ask(v)
			if done || err != nil {
				return nil, err
			}
			if q.Holds() != c.revision {
				return nil, fault.New(fault.Conflict, "the targets of %s were signed anew meanwhile; ask again", name)
			}
			return []ledger.Draft{t.draft(name, cause, actor, 0, said(q, c))}, nil
		})
		return err
	})
}

// recover says who makes good for a target that was missed.
func (t *Targets) recover(ctx context.Context, req *feedbackv1.PlanRecoveryRequest) (*feedbackv1.Quarter, error) {
	actor, cause, err := commanded(ctx, "quarter-recover", req.GetQuarter(), req.GetIdempotencyKey())
	if err != nil {
		return nil, err
	}
	missed := func(v *ledger.View) (done bool, err error) {
		q, err := t.quarter(req.GetQuarter())
		switch {
		case err != nil:
			return false, err
		case q.did(cause):
			return true, nil
		case q.Closed == nil:
			return false, fault.New(fault.State, "%s is open, so nothing was missed yet", q.Name)
		case !slices.ContainsFunc(q.Closed.GetResults(), func(r *feedbackv1.TargetResult) bool { return r.GetTargetId() == req.GetTargetId() }):
			return false, fault.New(fault.NotFound, "%s has no target %s", q.Name, req.GetTargetId())
		case !slices.Contains(q.Missed(), req.GetTargetId()):
			return false, fault.New(fault.State, "target %s of %s was reached: there is nothing to recover", req.GetTargetId(), q.Name)
		case t.Known != nil && !t.Known(req.GetMember()):
			return false, fault.New(fault.Invalid, "member: %s is nobody who works here; baton people list shows who does", req.GetMember())
		case !req.GetDueAt().AsTime().After(v.Now):
			return false, fault.New(fault.Invalid, "due_at: %s is past; it is %s", moment(req.GetDueAt().AsTime()), moment(v.Now))
		}
		return false, nil
	}
	var done bool
	t.Log.Follower().View(func(v *ledger.View) { done, err = missed(v) })
	if done || err != nil {
		return t.answer(ctx, req.GetQuarter(), err)
	}
	// The key follows from the call, so that a repeat leaves no second one behind.
	sum := sha256.Sum256([]byte("recovery plan\x00" + cause))
	sealed, err := t.Seal(ctx, "plan-"+hex.EncodeToString(sum[:16]), []byte(req.GetPlan()), planContext(req.GetQuarter(), req.GetTargetId()))
	if err != nil {
		return nil, err
	}
	_, err = t.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		if done, err := missed(v); done || err != nil {
			return nil, err
		}
		return []ledger.Draft{t.draft(req.GetQuarter(), cause, actor, 0, &feedbackv1.RecoveryPlanned{
			Quarter: req.GetQuarter(), TargetId: req.GetTargetId(), Member: req.GetMember(), DueAt: req.GetDueAt(), Plan: sealed,
		})}, nil
	})
	return t.answer(ctx, req.GetQuarter(), err)
}

// planContext is what a plan's seal is bound to.
func planContext(quarter, target string) []byte {
	return []byte("baton recovery plan\x00" + quarter + "\x00" + target)
}

func (t *Targets) draft(quarter, cause, actor string, version int64, body proto.Message) ledger.Draft {
	return ledger.Draft{Subject: subjectQuarter(quarter), Body: body, Cause: cause, Correlation: "target:" + quarter, Actor: actor, Agreement: version}
}

// commanded answers who calls, and the cause of what follows: the same call has the same.
func commanded(ctx context.Context, what, quarter, key string) (actor, cause string, err error) {
	who, ok := access.From(ctx)
	switch {
	case !ok:
		return "", "", fault.New(fault.Unauthenticated, "targets are somebody's: sign in")
	case key == "":
		return "", "", fault.New(fault.Invalid, "idempotency_key: name one, so that a repeat of this call is harmless")
	}
	return who.Handle, fmt.Sprintf("%s:%s:%s:%s", what, quarter, who.Handle, key), nil
}

// quarter is one by its name, within a view.
func (t *Targets) quarter(name string) (*Quarter, error) {
	if q := t.Quarters.Quarter(name); q != nil {
		return q, nil
	}
	return nil, fault.New(fault.NotFound, "nobody has proposed targets for %s; baton target propose %[1]s does", name)
}

// held is the revision that holds; the fault says what is missing.
func held(q *Quarter) (*Revision, error) {
	if r := q.Holds(); r != nil {
		return r, nil
	}
	last := q.Revisions[len(q.Revisions)-1]
	return nil, fault.New(fault.State, "%s has no targets yet: revision %d waits for the signature of %s, and what only one side has signed is no target", q.Name, last.GetRevision(), strings.Join(last.Unsigned(), " and "))
}

// counted is a count and what it was made of.
type counted struct {
	*Count
	revision *Revision
	sequence uint64
	year     agreement.Year
}

// mostKept is how many leads a count may hold and still be kept for the next one.
const mostKept = 250_000

// count counts the targets that hold, by the log as it stands, and has use look at what
// came out while nobody counts on. The last count is kept: who asks again reads only what
// was said since, which comes to the same.
func (t *Targets) count(ctx context.Context, name string, use func(*counted) error) error {
	select {
	case t.turn() <- struct{}{}:
		defer func() { <-t.turn() }()
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "the targets are being counted for somebody else, and the log is long; ask again in a while")
	}
	var c *counted
	var to uint64
	var err error
	t.Log.Follower().View(func(v *ledger.View) {
		to = v.Basis
		c, err = t.begin(name)
	})
	if err != nil {
		return err
	}
	t.last = nil
	if c.sequence < to {
		// What was begun is finished: a long log takes longer than some callers wait, and
		// the next one finds it done.
		err = t.Log.Read(context.WithoutCancel(ctx), ledger.StreamLedger, c.sequence+1, to, func(r *ledger.Record) error {
			if !c.Reads(r.Subject, r.Type()) {
				return nil
			}
			e, err := r.Decode()
			if err != nil {
				return err
			}
			c.Apply(e)
			return nil
		}, func(seq uint64, why string) error {
			return fault.New(fault.Corrupt, "record %d of LEDGER cannot be read, so nothing is counted: %s", seq, why)
		})
		if err != nil {
			return err
		}
	}
	if c.sequence = to; len(c.leads) <= mostKept {
		t.last = c
	}
	return use(c)
}

// turn lets one count be made at a time: many of them must not take the machine from the
// leads.
func (t *Targets) turn() chan struct{} {
	t.once.Do(func() { t.counting = make(chan struct{}, 1) })
	return t.counting
}

// begin is the last count, if it is of these targets, or one of nothing yet; within a
// view.
func (t *Targets) begin(name string) (*counted, error) {
	q, err := t.quarter(name)
	if err != nil {
		return nil, err
	}
	revision, err := held(q)
	if err != nil {
		return nil, err
	}
	if t.last != nil && t.last.revision == revision {
		return t.last, nil
	}
	out := &counted{revision: revision, year: agreement.Year{Starts: time.January, Zone: time.UTC}}
	if version := t.Agreements.Version(revision.Agreement); version != nil && version.Agreement != nil {
		out.year = version.Agreement.Year()
	}
	out.Count, err = t.begun(revision)
	return out, err
}

// begun is a count of nothing yet, within a view.
func (t *Targets) begun(r *Revision) (*Count, error) {
	aims, err := Aims(r, t.Agreements)
	if err != nil {
		return nil, err
	}
	return NewCount(aims, r.GetFrom().AsTime(), r.GetTo().AsTime(), t.Judge), nil
}

// Aims are the targets of a revision with what their words mean.
func Aims(r *Revision, agreements *agreement.Register) (aims []Aim, err error) {
	for _, target := range r.GetTargets() {
		rules := signedVersion(agreements, target.GetDefinition())
		if rules == nil {
			return nil, fault.New(fault.State, "target %s names version %d of the agreement, which this Baton cannot read", target.GetTargetId(), target.GetDefinition())
		}
		segment, err := rules.Segment(target.GetSegment())
		if err != nil {
			return nil, err
		}
		aims = append(aims, Aim{target, rules, segment})
	}
	return aims, nil
}
