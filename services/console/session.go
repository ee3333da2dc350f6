package console

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
)

// Ends of a session, and how many there may be: each holds a token in memory.
const (
	idleEnd     = 8 * time.Hour
	absoluteEnd = 24 * time.Hour
	mostOpen    = 4096
)

// session is one signed-in browser. The token never leaves the process: the
// browser holds a random id that means nothing elsewhere.
type session struct {
	token  string
	opened time.Time

	// Guarded by sessions.mu.
	seen   time.Time
	notice string
}

// sessions are the console's own, and not those of package access, because a
// console apart has no directory, and because an open page's stream must not
// count as a sign of life. They are kept by the digest of their id, so that
// neither a look-up's timing nor a dump of the map gives an id away.
type sessions struct {
	clock clock.Clock
	// directory is nil where the console stands apart.
	directory access.Directory

	cookie string
	secure bool

	mu    sync.Mutex
	open  map[[sha256.Size]byte]*session
	swept time.Time
}

func newSessions(c clock.Clock, d access.Directory, secure bool) *sessions {
	name := "baton_session"
	if secure {
		// The prefix makes browsers refuse the cookie without TLS, for another
		// path, or set by another host.
		name = "__Host-baton_session"
	}
	return &sessions{clock: c, directory: d, cookie: name, secure: secure, open: map[[sha256.Size]byte]*session{}}
}

// start opens a session under a new id and hands the id to the browser. A
// session that the browser already had ends.
func (s *sessions) start(w http.ResponseWriter, r *http.Request, token string) {
	id, now := rand.Text(), s.clock.Now()
	s.mu.Lock()
	if old, err := r.Cookie(s.cookie); err == nil {
		delete(s.open, sha256.Sum256([]byte(old.Value)))
	}
	s.makeRoom(now)
	s.open[sha256.Sum256([]byte(id))] = &session{token: token, opened: now, seen: now}
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{
		Name: s.cookie, Value: id, Path: "/", MaxAge: int(absoluteEnd / time.Second),
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode,
	})
}

// makeRoom drops what has ended and, where that is not enough, whoever was
// quiet for longest.
func (s *sessions) makeRoom(now time.Time) {
	if now.Sub(s.swept) >= time.Minute {
		s.swept = now
		for id, one := range s.open {
			if one.ended(now) {
				delete(s.open, id)
			}
		}
	}
	for len(s.open) >= mostOpen {
		var quietest [sha256.Size]byte
		var since time.Time
		for id, one := range s.open {
			if since.IsZero() || one.seen.Before(since) {
				quietest, since = id, one.seen
			}
		}
		delete(s.open, quietest)
	}
}

func (one *session) ended(now time.Time) bool {
	return now.Sub(one.seen) >= idleEnd || now.Sub(one.opened) >= absoluteEnd
}

// find answers the session of a request. Only a request that a person made
// counts as a sign of life: an open live page must not keep itself signed in.
func (s *sessions) find(r *http.Request, alive bool) (*session, bool) {
	cookie, err := r.Cookie(s.cookie)
	if err != nil {
		return nil, false
	}
	id, now := sha256.Sum256([]byte(cookie.Value)), s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.open[id]
	if !ok {
		return nil, false
	}
	if _, known := s.reader(one); one.ended(now) || !known {
		delete(s.open, id)
		return nil, false
	}
	if alive {
		one.seen = now
	}
	return one, true
}

// reader is whose session it is, as the directory says now: whoever loses their
// token loses their session. Nobody in particular where there is no directory.
func (s *sessions) reader(one *session) (access.Actor, bool) {
	if s.directory == nil {
		return access.Actor{}, true
	}
	return s.directory.Lookup(access.HashToken(one.token))
}

// end drops the session of a request and takes the id from the browser.
func (s *sessions) end(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(s.cookie); err == nil {
		s.mu.Lock()
		delete(s.open, sha256.Sum256([]byte(cookie.Value)))
		s.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.cookie, Path: "/", MaxAge: -1,
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode,
	})
}

// say keeps one sentence for the session's next page.
func (s *sessions) say(one *session, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.notice = text
}

// said answers that sentence, once.
func (s *sessions) said(one *session) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := one.notice
	one.notice = ""
	return text
}
