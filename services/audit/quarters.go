package audit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/feedback"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/qualification"
)

// quarters checks what was agreed and stated of quarters. What both parties signed is
// checked as it comes; what was stated is counted again at the end, from the log alone and
// up to the entry that it names, because a count begins at the first record.
type quarters struct {
	register *agreement.Register
	known    *feedback.Quarters
	stated   []*statement
}

// statement is what somebody stated of a quarter, and the count that it has to be.
type statement struct {
	*ledger.Event
	quarter  string
	revision *feedback.Revision
	sequence uint64
	results  []*feedbackv1.TargetResult
}

func newQuarters() *quarters {
	return &quarters{register: &agreement.Register{}, known: feedback.NewQuarters()}
}

// quarter hears of each event of LEDGER in order.
func (v *verifying) quarter(e *ledger.Event) {
	q := v.quarters
	find := func(format string, args ...any) { v.out.find(ledger.StreamLedger, e.Seq, format, args...) }
	switch body := e.Body.(type) {
	case *feedbackv1.TargetsProposed:
		v.out.Facts++
		if !bytes.Equal(body.GetDigest(), feedback.TargetsDigest(body)) {
			find("the digest of the targets of %s does not fit them", body.GetQuarter())
		}
	case *feedbackv1.TargetsSigned:
		v.out.Facts++
		if one := q.known.Quarter(body.GetQuarter()); one == nil || one.Revision(body.GetRevision()) == nil || !bytes.Equal(one.Revision(body.GetRevision()).GetDigest(), body.GetDigest()) {
			find("what %s signed is not revision %d of the targets of %s", body.GetParty(), body.GetRevision(), body.GetQuarter())
		}
		if !ed25519.Verify(body.GetPublicKey(), agreement.SignedAs(feedback.SignedTargets, body.GetDigest()), body.GetSignature()) {
			find("the signature of %s under the targets of %s does not fit", body.GetParty(), body.GetQuarter())
		}
	case *feedbackv1.QuarterClosed:
		v.state(&statement{Event: e, quarter: body.GetQuarter(), sequence: body.GetSequence(), results: body.GetResults()}, body.GetRevision())
	case *feedbackv1.QuarterRestated:
		v.state(&statement{Event: e, quarter: body.GetQuarter(), sequence: body.GetSequence(), results: body.GetResults()}, 0)
	}
	q.known.Apply(e)
	q.register.Apply(e)
}

// state notes what is to be counted again; number is the revision that it names, 0 = none.
func (v *verifying) state(s *statement, number int32) {
	if one := v.quarters.known.Quarter(s.quarter); one != nil {
		s.revision = one.Holds()
	}
	switch {
	case s.revision == nil:
		v.out.find(ledger.StreamLedger, s.Seq, "it states what came of %s, of which both parties had signed no targets", s.quarter)
	case number != 0 && s.revision.GetRevision() != number:
		v.out.find(ledger.StreamLedger, s.Seq, "it states what came of %s by revision %d of its targets, and revision %d held", s.quarter, number, s.revision.GetRevision())
	case s.sequence >= s.Seq:
		v.out.find(ledger.StreamLedger, s.Seq, "the entry %d up to which it counts does not lie before it", s.sequence)
	case v.wanted(s.Event):
		v.quarters.stated = append(v.quarters.stated, s)
	}
}

// errCounted ends a reading of which no more is wanted.
var errCounted = errors.New("counted")

// recount counts what was stated again, all of it in one more pass over the log.
func (v *verifying) recount(ctx context.Context) error {
	due := v.quarters.stated
	slices.SortStableFunc(due, func(a, b *statement) int { return cmp.Compare(a.sequence, b.sequence) })
	counts := map[*feedback.Revision]*feedback.Count{}
	var order []*feedback.Revision
	for _, s := range due {
		if counts[s.revision] != nil {
			continue
		}
		aims, err := feedback.Aims(s.revision, v.quarters.register)
		if err != nil {
			v.out.find(ledger.StreamLedger, s.Seq, "what is stated of %s cannot be counted again: %v", s.quarter, err)
			continue
		}
		counts[s.revision] = feedback.NewCount(aims, s.revision.GetFrom().AsTime(), s.revision.GetTo().AsTime(), qualification.StageBy)
		order = append(order, s.revision)
	}
	// broken is the first record that cannot be read, which was said when it was read
	// before: what counts it cannot be counted again.
	var broken uint64
	// upTo compares what is stated up to a sequence.
	upTo := func(seq uint64) {
		for len(due) > 0 && due[0].sequence <= seq {
			if count := counts[due[0].revision]; count != nil && broken == 0 {
				v.compare(due[0], count.Results())
			}
			due = due[1:]
		}
	}
	if len(due) == 0 {
		return nil
	}
	err := v.src.Read(ctx, ledger.StreamLedger, func(r *ledger.Record) error {
		upTo(r.Seq - 1)
		if len(due) == 0 {
			return errCounted
		}
		for _, revision := range order {
			count := counts[revision]
			if !count.Reads(r.Subject, r.Type()) {
				continue
			}
			e, err := r.Decode() // each count has its own
			if err != nil {
				broken = r.Seq
				return errCounted
			}
			count.Apply(e)
		}
		return nil
	}, func(seq uint64, _ string) error {
		upTo(seq - 1)
		broken = seq
		return errCounted
	})
	if err != nil && !errors.Is(err, errCounted) {
		return err
	}
	upTo(^uint64(0))
	return nil
}

// compare holds what is stated against a count.
func (v *verifying) compare(s *statement, results []*feedbackv1.TargetResult) {
	v.out.Facts++
	if len(results) != len(s.results) {
		v.out.find(ledger.StreamLedger, s.Seq, "it states %d results of %s, which has %d targets", len(s.results), s.quarter, len(results))
		return
	}
	for i, got := range results {
		if !proto.Equal(got, s.results[i]) {
			v.out.find(ledger.StreamLedger, s.Seq, "what is stated of target %s of %s is not what the log gives: %s, and counted again %s",
				got.GetTargetId(), s.quarter, figuresOf(s.results[i]), figuresOf(got))
		}
	}
}

func figuresOf(r *feedbackv1.TargetResult) string {
	return fmt.Sprintf("%d of %d (delivered %d, met the definition %d, reached the person %d, accepted in time %d)",
		r.GetResult(), r.GetAgreed(), r.GetDelivered(), r.GetMetDefinition(), r.GetReached(), r.GetAcceptedInTime())
}
