package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

const (
	// numbersPace is the least time between two refreshes of the figures.
	numbersPace = time.Second
	// heartbeat keeps a quiet stream's figures, place and session in step.
	heartbeat = 15 * time.Second
	// farBehind is how many events a page that was away may catch up on; beyond
	// that it goes on from the newest, for it shows only those.
	farBehind = 1000
)

// stream sends what happens as server-sent events: each event as a fragment of
// the page under its sequence, and the figures at most once a second. A browser
// that lost the connection goes on after the sequence that it saw last. With
// ?lead= it sends that lead's events alone.
func (c *console) stream(w http.ResponseWriter, r *http.Request) {
	one, ok := c.sessions.find(r, false)
	if !ok {
		// No redirect: a stream that is refused is not tried again.
		http.Error(w, "Sign in first.", http.StatusUnauthorized)
		return
	}
	to := servicesFor(c.conn, one.token)
	from, resumed := startOf(r)
	lead := r.URL.Query().Get("lead")
	if from > 0 {
		from = c.catchUp(r.Context(), to, from)
	}

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	watch, err := to.leads.WatchEvents(ctx, &leadv1.WatchEventsRequest{FromSequence: from})
	if err != nil {
		code, title, _ := explain(err)
		http.Error(w, title, code)
		return
	}
	entries, ended := receive(ctx, watch)

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	out := &frames{to: w, flush: http.NewResponseController(w)}
	// The stream outlives any limit on writing one answer.
	_ = out.flush.SetWriteDeadline(time.Time{})
	out.raw("retry: 2000\n\n")

	// due is true where the figures on the page may be old.
	due, last := resumed && lead == "", from-min(from, 1)
	pace := c.timer(0)
	beat := c.timer(heartbeat)
	defer func() { pace.stop(); beat.stop() }()
	for out.err == nil {
		var paced <-chan struct{}
		if due {
			paced = pace.reached
		}
		select {
		case e := <-entries:
			last = e.GetSequence()
			if !companion(e) && (lead == "" && !errand(e) || lead != "" && e.GetLeadId() == lead) {
				html, err := c.pages.fragment("event", eventOf(e))
				if err != nil {
					c.logger.ErrorContext(ctx, "event template failed: mend the template", "error", err.Error())
					return
				}
				out.frame("entry", last, html)
			}
			due = due || lead == ""
		case <-paced:
			due = false
			if !c.sendNumbers(ctx, to, out) {
				return
			}
			pace = c.timer(numbersPace)
		case <-beat.reached:
			beat = c.timer(heartbeat)
			if still, ok := c.sessions.find(r, false); !ok || still != one {
				return
			}
			// A frame without data moves the browser's place and shows nothing.
			if last > 0 {
				out.raw(fmt.Sprintf("id: %d\n\n", last))
			}
			due = lead == ""
		case err := <-ended:
			if status.Code(err) == codes.PermissionDenied {
				out.frame("stop", last, []byte("Your role does not show events as they come."))
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

// startOf reads where a stream goes on: after what the browser saw last, or
// where the page says.
func startOf(r *http.Request) (from uint64, resumed bool) {
	if seen, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 63); err == nil {
		return seen + 1, true
	}
	from, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 63)
	if err != nil {
		return 0, false
	}
	return from, false
}

func (c *console) catchUp(ctx context.Context, to *services, from uint64) uint64 {
	st, err := to.reports.GetStatus(ctx, &feedbackv1.GetStatusRequest{})
	if last := st.GetLedgerSequence(); err == nil && last > farBehind && from < last-farBehind {
		return last - eventsRead + 1
	}
	return from
}

func (c *console) sendNumbers(ctx context.Context, to *services, out *frames) bool {
	o, err := c.look(ctx, to)
	if err != nil {
		return false
	}
	html, err := c.pages.fragment("numbers", o)
	if err != nil {
		c.logger.ErrorContext(ctx, "figures template failed: mend the template", "error", err.Error())
		return false
	}
	out.frame("numbers", 0, html)
	return true
}

type timer struct {
	reached <-chan struct{}
	stop    func()
}

func (c *console) timer(d time.Duration) timer {
	reached, stop := c.clock.Until(c.clock.Now().Add(d))
	return timer{reached, stop}
}

// frames writes server-sent events and remembers the first failure.
type frames struct {
	to    http.ResponseWriter
	flush *http.ResponseController
	err   error
}

// frame writes one event. Carriage returns would end a line of the stream as
// well, and let a text write fields of its own: each ends a line of the data.
func (f *frames) frame(name string, id uint64, data []byte) {
	var b bytes.Buffer
	if id > 0 {
		fmt.Fprintf(&b, "id: %d\n", id)
	}
	fmt.Fprintf(&b, "event: %s\n", name)
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	for line := range bytes.SplitSeq(bytes.TrimSpace(data), []byte("\n")) {
		b.WriteString("data: ")
		b.Write(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	f.raw(b.String())
}

func (f *frames) raw(text string) {
	if f.err != nil {
		return
	}
	if _, f.err = f.to.Write([]byte(text)); f.err == nil {
		f.err = f.flush.Flush()
	}
}
