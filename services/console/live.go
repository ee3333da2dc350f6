package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

const (
	// eventsShown is how many events the live page holds.
	eventsShown = 30
	// eventsRead is how far back it looks for them: not every event is one that
	// each reader may see.
	eventsRead = 240
	// eventsPatience is how long it waits for the next of them.
	eventsPatience = 300 * time.Millisecond
)

type liveView struct {
	*overview
	Events        []event
	EventsProblem string
	// Stream is where the page goes on listening.
	Stream string
}

// event is one event as a sentence.
type event struct {
	Sequence uint64
	Lead     string
	Occurred time.Time
	Recorded time.Time
	// Late says that it became known noticeably after it happened.
	Late     bool
	Delay    string
	Actor    string
	Service  string
	Type     string
	Sentence string
	// Version, Logic and Basis say what a decision rests on.
	Version, Logic string
	Basis          uint64
	Trace          string
}

func eventOf(e *leadv1.HistoryEntry) event {
	out := event{
		Sequence: e.GetSequence(), Lead: e.GetLeadId(), Occurred: instant(e.GetOccurredAt()), Recorded: instant(e.GetRecordedAt()),
		Actor: e.GetActor(), Service: e.GetService(), Type: e.GetType(), Sentence: e.GetSentence(),
		Version: e.GetAgreementVersion(), Logic: e.GetLogicVersion(), Basis: e.GetBasis(), Trace: e.GetTraceId(),
	}
	if out.Occurred.IsZero() {
		out.Occurred = out.Recorded
	}
	if out.Version == "0" {
		out.Version = ""
	}
	if d := out.Recorded.Sub(out.Occurred); !out.Recorded.IsZero() && d.Abs() >= time.Second {
		out.Late, out.Delay = true, span(d)
	}
	return out
}

func (c *console) showLive(w http.ResponseWriter, r *http.Request, v *visit) error {
	o, err := c.look(r.Context(), v.services)
	if err != nil {
		return err
	}
	view := liveView{overview: o, Stream: "/live"}
	if o.Status != nil {
		last := o.Status.GetLedgerSequence()
		events, err := c.lastEvents(r.Context(), v.services, last)
		if gone := withdrawn(err); gone != nil {
			return gone
		}
		view.Events, view.EventsProblem = events, missing(err)
		view.Stream += "?from=" + strconv.FormatUint(last+1, 10)
	}
	c.render(w, r, http.StatusOK, "live", v.session, pageData{Title: "Live", Nav: "live", Body: view})
	return nil
}

// lastEvents answers the newest events up to a sequence, newest first.
func (c *console) lastEvents(ctx context.Context, to *services, last uint64) ([]event, error) {
	if last == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	from := uint64(1)
	if last > eventsRead {
		from = last - eventsRead + 1
	}
	watch, err := to.leads.WatchEvents(ctx, &leadv1.WatchEventsRequest{FromSequence: from})
	if err != nil {
		return nil, err
	}
	entries, ended := receive(ctx, watch)
	var events []event
	for {
		tooLong, stop := c.clock.Until(c.clock.Now().Add(eventsPatience))
		select {
		case e := <-entries:
			stop()
			if e.GetSequence() <= last && !companion(e) && !errand(e) {
				events = append(events, eventOf(e))
			}
			if e.GetSequence() < last {
				continue
			}
		case err = <-ended:
			stop()
			if errors.Is(err, io.EOF) {
				err = nil
			}
		case <-tooLong:
			// Only events beyond the last that this reader may see are left.
		}
		break
	}
	if len(events) > eventsShown {
		events = events[len(events)-eventsShown:]
	}
	slices.Reverse(events)
	return events, err
}

// companion says whether an event only accompanies another in its batch: what
// it means to people, the other one says.
func companion(e *leadv1.HistoryEntry) bool {
	switch e.GetType() {
	case "baton.routing.v1.PoolAdvanced", "baton.qualification.v1.LineAdvanced", "baton.person.v1.LeadAttached":
		return true
	}
	return false
}

// errand says whether an event is of a message that is on its way or went out well. It
// stands on the lead's page; among all leads, three of four events would be errands.
func errand(e *leadv1.HistoryEntry) bool {
	return e.GetType() == "baton.lead.v1.NoticeQueued" || e.GetType() == "baton.lead.v1.NoticeSent"
}

// receive reads a stream into a channel until it ends or the context does, and
// then says why.
func receive(ctx context.Context, watch leadv1.LeadService_WatchEventsClient) (<-chan *leadv1.HistoryEntry, <-chan error) {
	entries, ended := make(chan *leadv1.HistoryEntry), make(chan error, 1)
	go func() {
		for {
			e, err := watch.Recv()
			if err != nil {
				ended <- err
				return
			}
			select {
			case entries <- e:
			case <-ctx.Done():
				ended <- ctx.Err()
				return
			}
		}
	}()
	return entries, ended
}
