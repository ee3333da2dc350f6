package intake

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// acknowledged is one delivery as it stands in INTAKE.
type acknowledged struct {
	at       keptAt
	source   int32 // place in Acknowledged.sources
	received int64 // nanoseconds
	// details says that it is no request: a source was asked.
	details bool
}

// Acknowledged is what the door acknowledged, counted in INTAKE itself and not in
// what was made of it. It is read when somebody asks, from where the last one
// who asked has come to.
type Acknowledged struct {
	mu      sync.Mutex
	pos     uint64
	all     []acknowledged
	sources []string
	place   map[string]int32
}

// upTo reads INTAKE to its end, and answers what stands there by then in the
// order of the stream. Where the context ends first, the next one goes on.
func (a *Acknowledged) upTo(ctx context.Context, l *ledger.Ledger) ([]acknowledged, []string, uint64, error) {
	last, err := l.Last(ctx, ledger.StreamIntake)
	if err != nil {
		return nil, nil, 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.place == nil {
		a.place = map[string]int32{}
	}
	err = l.ReadKept(ctx, a.pos+1, last, func(kept ledger.Kept) error {
		for i, d := range kept.Record.GetDeliveries() {
			source, ok := a.place[d.GetSourceId()]
			if !ok {
				source = int32(len(a.sources)) // #nosec G115 -- as many as there are sources
				a.place[d.GetSourceId()], a.sources = source, append(a.sources, d.GetSourceId())
			}
			a.all = append(a.all, acknowledged{
				at: keptAt{kept.Seq, uint32(i)}, source: source, received: d.GetReceivedAt().AsTime().UnixNano(), details: d.GetDetailsOf() != "", // #nosec G115 -- a record holds a few hundred
			})
		}
		a.pos = kept.Seq
		return nil
	})
	return a.all, a.sources, a.pos, err
}

// span is what somebody asks for: by time of receipt, the end exclusive; the
// zero source is all.
type span struct {
	from, to time.Time
	source   string
}

func (s span) holds(at time.Time, source string) bool {
	return !at.Before(s.from) && at.Before(s.to) && (s.source == "" || s.source == source)
}

func (s *Server) spanOf(from, to *timestamppb.Timestamp, name string) (span, error) {
	out := span{to: s.Clock.Now().Add(time.Nanosecond)}
	if from != nil {
		out.from = from.AsTime()
	}
	if to != nil {
		out.to = to.AsTime()
	}
	if name != "" {
		src, err := s.source(name)
		if err != nil {
			return out, err
		}
		out.source = src.GetSourceId()
	}
	return out, nil
}

// GetIntakeLedger counts what became of everything that was acknowledged. The
// requests are counted in INTAKE and the outcomes in LEDGER, so that the one
// proves the other.
func (s *Server) GetIntakeLedger(ctx context.Context, req *intakev1.GetIntakeLedgerRequest) (*intakev1.GetIntakeLedgerResponse, error) {
	span, err := s.spanOf(req.GetFrom(), req.GetTo(), req.GetSource())
	if err != nil {
		return nil, err
	}
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	all, sources, upTo, err := s.Acknowledged.upTo(ctx, s.Log)
	if err != nil {
		return nil, err
	}
	c := counting{span: span, counts: map[counted]int64{}}
	s.Log.Follower().View(func(*ledger.View) {
		inIntake := 0
		for _, a := range all {
			said := s.Tally.of(a.at)
			if len(said) > 0 {
				inIntake++
			}
			c.delivery(a, sources[a.source], said)
		}
		if s.Tally.upTo(upTo) != inIntake {
			c.strays(s.Tally, all, upTo)
		}
	})
	out := &intakev1.GetIntakeLedgerResponse{
		To: timestamppb.New(span.to), Acknowledged: c.acknowledged, Submissions: c.submissions, Unworked: c.unworked, Worked: c.worked,
	}
	if !span.from.IsZero() {
		out.From = timestamppb.New(span.from)
	}
	for _, key := range slices.SortedFunc(maps.Keys(c.counts), func(a, b counted) int {
		return cmp.Or(cmp.Compare(s.nameOf(a.source), s.nameOf(b.source)), cmp.Compare(slices.Index(Outcomes, a.outcome), slices.Index(Outcomes, b.outcome)))
	}) {
		out.Rows = append(out.Rows, &intakev1.IntakeCount{Source: s.nameOf(key.source), Outcome: key.outcome, Count: c.counts[key]})
	}
	return out, nil
}

// nameOf is the name of a source now; its id where it is not known.
func (s *Server) nameOf(id string) string {
	if src := s.Sources.ByID(id); src != nil {
		return src.GetName()
	}
	return id
}

type counted struct{ source, outcome string }

// counting is a ledger of intake while it is counted.
type counting struct {
	span                                        span
	counts                                      map[counted]int64
	acknowledged, worked, unworked, submissions int64
}

// delivery counts one delivery of INTAKE and what became of it.
func (c *counting) delivery(a acknowledged, source string, said []mention) {
	b := resolve(said)
	at := time.Unix(0, a.received).UTC()
	if a.details {
		if len(b.outcomes) == 0 {
			return // the delivery that asked for it still waits, or had it before
		}
		if at = b.received; !c.span.holds(at, source) {
			return
		}
	} else {
		if !c.span.holds(at, source) {
			return
		}
		c.acknowledged++
		if len(said) == 0 {
			c.unworked++
			return
		}
		c.worked++
	}
	c.became(b, source)
}

func (c *counting) became(b became, source string) {
	c.submissions += int64(b.submissions)
	for _, o := range b.outcomes {
		c.counts[counted{source, o.outcome}]++
	}
}

// strays counts what LEDGER says of deliveries that are not in INTAKE. There are
// none, or the sums do not hold.
func (c *counting) strays(t *Tally, all []acknowledged, upTo uint64) {
	in := make(map[keptAt]bool, len(all))
	for _, a := range all {
		in[a.at] = true
	}
	for at := range t.last {
		if at.seq > upTo || in[at] {
			continue
		}
		if b := resolve(t.of(at)); c.span.holds(b.received, "") || b.received.IsZero() {
			c.worked++
			c.became(b, "")
		}
	}
}

// upTo counts the deliveries of which something was said, up to a record of
// INTAKE.
func (t *Tally) upTo(seq uint64) (n int) {
	for at := range t.last {
		if at.seq <= seq {
			n++
		}
	}
	return n
}
