package ledger

import (
	"context"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// Covering is the first signed checkpoint of a stream that covers a sequence, as a note;
// empty = none does yet. It looks at few checkpoints, however many there are.
func (l *Ledger) Covering(ctx context.Context, stream string, seq uint64) (string, error) {
	last, err := l.Last(ctx, StreamCheckpoints)
	if err != nil {
		return "", err
	}
	// Sizes grow, so the first that is large enough lies between lo and hi.
	lo, hi, note := uint64(1), last+1, ""
	for lo < hi {
		middle := lo + (hi-lo)/2
		at, size, text, err := l.pointFrom(ctx, stream, middle, hi)
		if err != nil {
			return "", err
		}
		if at < hi && size < seq {
			lo = at + 1
			continue
		}
		if at < hi {
			note = text
		}
		hi = middle
	}
	return note, nil
}

// pointFrom is the first checkpoint of a stream from a place on and before another; that
// other one where there is none.
func (l *Ledger) pointFrom(ctx context.Context, stream string, from, before uint64) (at, size uint64, note string, err error) {
	for at = from; at < before; at++ {
		r, err := l.at(ctx, StreamCheckpoints, at)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return at, 0, "", err
		}
		var c auditv1.Checkpoint
		if err := proto.Unmarshal(r.Body, &c); err != nil || c.GetStream() != stream {
			continue //nolint:nilerr // what cannot be read covers nothing
		}
		lines := strings.SplitN(c.GetNote(), "\n", 3)
		if len(lines) < 3 {
			continue
		}
		if size, err = strconv.ParseUint(lines[1], 10, 64); err != nil {
			continue
		}
		return at, size, c.GetNote(), nil
	}
	return before, 0, "", nil
}
