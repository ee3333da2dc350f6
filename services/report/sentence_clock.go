package report

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// clockSentence speaks of the agreement's clocks, of collisions, and of who watches
// the pools.
func clockSentence(body proto.Message) string {
	switch b := body.(type) {
	case *leadv1.ClockReminded:
		s := clockName(b.GetClock()) + " is about to run out"
		if len(b.GetTell()) > 0 {
			s += "; " + people(b.GetTell()) + " is reminded"
			if len(b.GetTell()) > 1 {
				s = strings.TrimSuffix(s, "is reminded") + "are reminded"
			}
		}
		return s
	case *leadv1.ClockBreached:
		s := clockName(b.GetClock()) + " ran out on " + momentOf(b.GetDueAt()) + ", after " + took(b.GetLimit().AsDuration())
		if b.GetMember() != "" {
			return s + "; " + b.GetMember() + " had the lead"
		}
		return s + "; nobody had the lead"
	case *leadv1.ClockEscalated:
		s := fmt.Sprintf("%s ran out, step %d: %s hears “%s”", clockName(b.GetClock()), b.GetStep(), people(b.GetTell()), strings.TrimSuffix(b.GetText(), "."))
		if b.GetHeldUntil() != nil {
			s += "; it was due on " + momentOf(b.GetDueAt()) + " and held until somebody was on duty"
		}
		return s
	case *leadv1.ClockRestated:
		was, is := "was stopped in time", "was stopped in time"
		if b.GetWasBreached() {
			was = "had run out"
		}
		if b.GetBreached() {
			is = "ran out"
		}
		s := fmt.Sprintf("%s reads otherwise by what became known late: by what was known first it %s, with %s on it; by what is known now it %s", clockName(b.GetClock()), was, took(b.GetWasSpent().AsDuration()), is)
		return s + ", with " + took(b.GetSpent().AsDuration())
	case *routingv1.CollisionRaised:
		where := "the same lead"
		if b.GetOtherLeadId() != b.GetLeadId() {
			where = "lead " + b.GetOtherLeadId()
		}
		return fmt.Sprintf("Two people act on one person: %s on lead %s, and %s on %s on %s", b.GetMember(), b.GetLeadId(), b.GetOtherMember(), where, momentOf(b.GetOtherAt()))
	case *routingv1.OversightEscalated:
		looked := "has never looked"
		if b.GetLookedAt() != nil {
			looked = "looked last on " + momentOf(b.GetLookedAt())
		}
		return fmt.Sprintf("%s hears that nobody watches pool %s: %s %s, and since then %d of its clocks ran out", b.GetTell(), b.GetPool(), b.GetManager(), looked, b.GetBreaches())
	case *routingv1.PoolLooked:
		return b.GetMember() + " looked at pool " + b.GetPool()
	}
	return ""
}

func clockName(r *leadv1.ClockRef) string {
	if r.GetRun() > 1 {
		return fmt.Sprintf("Clock %s (run %d)", r.GetClock(), r.GetRun())
	}
	return "Clock " + r.GetClock()
}

func people(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// took is a time in hours and minutes, as clocks of the agreement are read.
func took(d time.Duration) string {
	return fmt.Sprintf("%d:%02d h", d/time.Hour, d%time.Hour/time.Minute)
}
