package score

import (
	"context"
	"math"
	"time"

	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// atWork stands for no instant: who works waits for none.
const atWork = math.MaxInt64

// Keep trains again whenever it is time, until the context ends: with the label
// and without the fields of the training before. What comes of it is one more
// model; the one in force stays in force.
func (s *Server) Keep(ctx context.Context) {
	nudge := make(chan struct{}, 1)
	s.waits.Store(atWork)
	s.Log.Follower().View(func(*ledger.View) {
		s.Register.Nudge(func() {
			s.waits.Store(atWork)
			select {
			case nudge <- struct{}{}:
			default:
			}
		})
	})
	var due time.Time
	for ctx.Err() == nil {
		s.Log.Follower().View(func(*ledger.View) { due = s.Register.Due() })
		reached, stop := make(<-chan struct{}), func() {}
		if !due.IsZero() {
			reached, stop = s.Log.Clock().Until(due)
		}
		s.waits.Store(nanos(due))
		select {
		case <-nudge:
		case <-reached:
			s.waits.Store(atWork)
			if err := s.again(ctx); err != nil && ctx.Err() == nil {
				s.Logger.ErrorContext(ctx, "the score could not be trained again, and is tried again", "error", err.Error())
				_ = clock.Sleep(ctx, clock.Real{}, clock.Real{}.Now().Add(10*time.Second))
			}
		case <-ctx.Done():
		}
		stop()
	}
}

// again repeats the last training on what is known by now, and says when the
// score in force has drifted.
func (s *Server) again(ctx context.Context) error {
	var last *Training
	s.Log.Follower().View(func(v *ledger.View) {
		last = s.Register.last()
		if current, _ := s.Register.InForce(v.Now); current != nil {
			if d := Drift(current.Model, s.Recent.last); d.GetAlarm() {
				s.Logger.WarnContext(ctx, "the leads that come are not those that the score in force was learned from; baton score show tells how", "model", current.Model.GetNumber())
			}
		}
	})
	var without []string
	for _, l := range last.Model.GetLeftOut() {
		if l.GetAsked() {
			without = append(without, l.GetField())
		}
	}
	_, err := s.train(ctx, last.Model.GetLabel(), without, "service:"+writer, "", func(now time.Time) bool {
		due := s.Register.Due()
		return !due.IsZero() && !due.After(now)
	})
	return err
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return atWork - 1
	}
	return t.UnixNano()
}

// Idle says whether Keep waits for the next training and none is due.
func (s *Server) Idle(context.Context) (idle bool) {
	s.Log.Follower().View(func(v *ledger.View) {
		due := s.Register.Due()
		idle = s.waits.Load() == nanos(due) && (due.IsZero() || due.After(v.Now))
	})
	return idle
}
