package console

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// sse is one server-sent event as a browser reads it.
type sse struct{ id, name, data string }

type listener struct {
	*testing.T
	frames chan sse
}

func (s *stand) listen(path, lastID string) *listener {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.server.URL+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		s.Fatalf("the stream answered %d %v", res.StatusCode, res.Header)
	}
	l := &listener{T: s.T, frames: make(chan sse)}
	go func() {
		defer res.Body.Close()
		defer close(l.frames)
		var one sse
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				one.id = value
			case "event":
				one.name = value
			case "data":
				one.data += value + "\n"
			case "":
				if one.data != "" || one.id != "" {
					select {
					case l.frames <- one:
					case <-ctx.Done():
						return
					}
				}
				one = sse{}
			}
		}
	}()
	return l
}

func (l *listener) next(name, id string, parts ...string) sse {
	l.Helper()
	one, ok := <-l.frames
	if !ok {
		l.Fatal("the stream ended")
	}
	if one.name != name || one.id != id {
		l.Fatalf("got %s %q, want %s %q: %s", one.name, one.id, name, id, one.data)
	}
	for _, p := range parts {
		if !strings.Contains(one.data, p) {
			l.Errorf("%s %s does not hold %q: %s", name, id, p, one.data)
		}
	}
	for token := range tokens {
		if strings.Contains(one.data, token) {
			l.Errorf("%s %s holds a token", name, id)
		}
	}
	return one
}

func TestStreamSendsEventsAndFiguresInPace(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	page := s.get("/")
	if !strings.Contains(page.text, `data-live="/live?from=10"`) {
		t.Fatalf("the page does not say where it goes on: %s", page.text)
	}
	l := s.listen("/live?from=10", "")
	s.fixed.append(happening(acceptedLead, "ben called."))
	l.next("entry", "10", `<li data-sequence="10" data-lead="`+acceptedLead+`">`, "<p>ben called.</p>", `<time datetime="2026-03-04T10:15:30Z">`)
	l.next("numbers", "", `<data value="8812">8,812</data>`, "Unworked deliveries")
	// The figures come once a second at most: while the clock stands, none.
	s.fixed.append(happening(acceptedLead, "ben wrote."))
	s.fixed.append(happening(acceptedLead, "ben met them."))
	l.next("entry", "11")
	l.next("entry", "12")
	s.clock.Set(at.Add(numbersPace))
	l.next("numbers", "")
	s.fixed.append(happening(waitingLead, "It waits on."))
	l.next("entry", "13")
	s.clock.Set(at.Add(2 * numbersPace))
	l.next("numbers", "")
}

func TestStreamGoesOnWhereItWasLost(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	// What the page said is older than what the browser saw.
	l := s.listen("/live?from=2", "7")
	seen := map[string]bool{}
	for range 3 {
		one := <-l.frames
		seen[one.name+one.id] = true
	}
	for _, want := range []string{"entry8", "entry9", "numbers"} {
		if !seen[want] {
			t.Errorf("no %s: %v", want, seen)
		}
	}
	s.fixed.mu.Lock()
	defer s.fixed.mu.Unlock()
	if got := s.fixed.watches[len(s.fixed.watches)-1]; got != 8 {
		t.Errorf("watched from %d", got)
	}
}

func TestStreamOfOneLead(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	page := s.get("/leads/" + offeredLead)
	if !strings.Contains(page.text, `data-live="/live?lead=`+offeredLead+`&amp;from=10"`) {
		t.Fatalf("the page does not say where it goes on: %s", page.text)
	}
	l := s.listen("/live?from=10&lead="+offeredLead, "")
	s.fixed.append(happening(acceptedLead, "another lead"))
	s.fixed.append(happening(offeredLead, "this lead"))
	l.next("entry", "11", "this lead")
	// Quiet streams move the browser's place along.
	s.fixed.append(happening(acceptedLead, "another lead"))
	s.fixed.append(happening(offeredLead, "this lead again"))
	l.next("entry", "13")
	s.clock.Set(at.Add(heartbeat))
	l.next("", "13")
}

// Among all leads nobody reads that messages are on their way; on the lead's own page,
// and where one failed, everybody does.
func TestErrandsStandOnTheLeadAlone(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	all, one := s.listen("/live?from=10", ""), s.listen("/live?from=10&lead="+offeredLead, "")
	for _, kind := range []string{"NoticeQueued", "NoticeSent", "NoticeFailed"} {
		e := happening(offeredLead, kind)
		e.Type = "baton.lead.v1." + kind
		s.fixed.append(e)
	}
	for f := range all.frames {
		if f.name != "entry" {
			continue
		}
		if f.id != "12" {
			t.Errorf("among all leads, entry %s is shown: %s", f.id, f.data)
		}
		break
	}
	for i, kind := range []string{"NoticeQueued", "NoticeSent", "NoticeFailed"} {
		one.next("entry", fmt.Sprint(10+i), kind)
	}
	page := s.get("/").text
	if strings.Contains(page, "NoticeQueued") || strings.Contains(page, "NoticeSent") || !strings.Contains(page, "NoticeFailed") {
		t.Errorf("the live page shows errands, or not what failed:\n%s", page)
	}
}

func TestFarBehindGoesOnFromTheNewest(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	for range farBehind + 100 {
		s.fixed.append(happening(waitingLead, "old"))
	}
	last := len(s.fixed.log)
	l := s.listen("/live", "3")
	for {
		one := <-l.frames
		if one.name == "entry" {
			break
		}
	}
	s.fixed.mu.Lock()
	defer s.fixed.mu.Unlock()
	if got := s.fixed.watches[len(s.fixed.watches)-1]; got != uint64(last)-eventsRead+1 {
		t.Errorf("watched from %d of %d", got, last)
	}
}

// A text can neither end its own data nor write fields of the stream, nor tags.
func TestStreamIsNotWrittenByTexts(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	l := s.listen("/live?from=10", "")
	s.fixed.append(happening(acceptedLead, "one\rid: 999\revent: stop\r\n\r\ndata: <script>x</script>"))
	one := l.next("entry", "10", "&lt;script&gt;")
	if strings.Contains(one.data, "\r") || strings.Contains(one.data, "<script>") {
		t.Errorf("%q", one.data)
	}
	l.next("numbers", "")
	s.fixed.append(happening(acceptedLead, "two"))
	l.next("entry", "11")
}

func TestStreamEndsWithItsSession(t *testing.T) {
	s := newStand(t)
	if a := s.get("/live"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("an unsigned stream answered %d", a.StatusCode)
	}
	s.signIn(anaToken)
	l := s.listen("/live?from=10", "")
	s.fixed.append(happening(acceptedLead, "x"))
	l.next("entry", "10")
	l.next("numbers", "")
	s.clock.Set(at.Add(idleEnd + time.Second))
	for one := range l.frames {
		if one.name == "entry" {
			t.Errorf("an ended session still hears %v", one)
		}
	}
	if a := s.get("/live"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("an ended session's stream answered %d", a.StatusCode)
	}
}

func TestStreamThatIsNotForTheRoleStops(t *testing.T) {
	s := newStand(t)
	s.signIn(cloToken)
	s.fixed.refuse["WatchEvents"] = status.Error(codes.PermissionDenied, "x")
	l := s.listen("/live?from=3", "")
	l.next("stop", "2", "Your role does not show events as they come.")
	if one, more := <-l.frames; more {
		t.Errorf("went on with %v", one)
	}
}
