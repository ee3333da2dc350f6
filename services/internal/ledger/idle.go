package ledger

import (
	"slices"
	"strings"
	"sync/atomic"
)

// hearing compares what a consumer was handed with what is there for it. The
// server's own count of what waits follows a publish only after a moment, so a
// count of nothing is no proof that nothing waits.
type hearing struct {
	subjects []string
	// there is the last event of these subjects in the folded log; handed the last
	// event that has come, of whatever subject.
	there, handed atomic.Uint64
}

// listen begins to note which events are for a consumer of these subjects.
// Everything up to done has been worked on before.
func (f *Follower) listen(subjects []string, done uint64) *hearing {
	h := &hearing{subjects: subjects}
	h.handed.Store(done)
	f.mu.Lock()
	defer f.mu.Unlock()
	for subject, place := range f.places {
		h.note(subject, place.Seq)
	}
	f.hearings = append(f.hearings, h)
	return h
}

func (h *hearing) note(subject string, seq uint64) {
	if seq > h.there.Load() && h.hears(subject) {
		h.there.Store(seq)
	}
}

// hears says whether a subject is one of the consumer's.
func (h *hearing) hears(subject string) bool {
	return slices.ContainsFunc(h.subjects, func(filter string) bool { return fits(filter, subject) })
}

// hand notes that a message has come.
func (h *hearing) hand(seq uint64) {
	for {
		last := h.handed.Load()
		if seq <= last || h.handed.CompareAndSwap(last, seq) {
			return
		}
	}
}

// behind says whether something is there that has not come yet.
func (h *hearing) behind() bool { return h.handed.Load() < h.there.Load() }

// fits says whether a subject is one of those that a filter stands for.
func fits(filter, subject string) bool {
	for {
		f, restF, moreF := strings.Cut(filter, ".")
		s, restS, moreS := strings.Cut(subject, ".")
		switch {
		case f == ">":
			return true
		case f != "*" && f != s, moreF != moreS:
			return false
		case !moreF:
			return true
		}
		filter, subject = restF, restS
	}
}
