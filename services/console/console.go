// Package console is the pages that both departments look at: the live page,
// the leads, one lead with its timeline and its reasons, those that wait and why, the
// people and why not they, those that are with marketing, what the two sides dispute, what became of all that came in, the reports, the targets and the agreement. It promises that everybody who may sign in reads the same
// sentences and the same figures, from the other services' own answers: it is a
// client of theirs under the token of whoever is signed in, and holds nothing
// but sessions. Every page is readable without script; script only keeps it
// fresh.
package console

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"google.golang.org/grpc"

	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
)

// Config is what the console needs.
type Config struct {
	// Conn reaches the services. Each call carries the token of whoever is
	// signed in as per-RPC credentials; nothing is asked without one.
	Conn grpc.ClientConnInterface
	// Directory says whose a token is, so that a page offers its reader what they
	// may do. Where it is nil, as in a console apart, any token that the services
	// take is let in, and pages offer everything: the services decide either way.
	Directory access.Directory
	// Clock ages sessions and paces live updates; nil is the machine's clock.
	// Leave it the machine's even where the system runs on a virtual one: what
	// pages call now is the system's own time, which the services tell.
	Clock clock.Clock
	// Logger takes what goes wrong behind a page; nil keeps quiet.
	Logger *slog.Logger
	// Secure says that browsers come over TLS: the cookie is then bound to it.
	Secure bool
}

type console struct {
	conn      grpc.ClientConnInterface
	directory access.Directory
	clock     clock.Clock
	logger    *slog.Logger
	sessions  *sessions
	pages     *pages
	secure    bool
}

// New makes the console's handler. Live streams stay open until their request's
// context ends: a server that stops gracefully gives its requests a base
// context and ends that first.
func New(cfg Config) (http.Handler, error) {
	if cfg.Conn == nil {
		return nil, errors.New("console: no connection to the services: set Config.Conn")
	}
	c := &console{conn: cfg.Conn, directory: cfg.Directory, clock: cfg.Clock, logger: cfg.Logger, secure: cfg.Secure}
	if c.clock == nil {
		c.clock = clock.Real{}
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	c.sessions = newSessions(c.clock, cfg.Directory, cfg.Secure)
	var err error
	if c.pages, err = loadPages(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}

	mux := http.NewServeMux()
	mux.Handle("GET /assets/{name}", http.HandlerFunc(c.pages.asset))
	mux.HandleFunc("GET /signin", c.showSignIn)
	mux.HandleFunc("POST /signin", c.signIn)
	mux.HandleFunc("POST /signout", c.signOut)
	mux.Handle("GET /{$}", c.page(c.showLive))
	mux.Handle("GET /leads", c.page(c.showLeads))
	mux.Handle("GET /leads/{id}", c.page(c.showLead))
	mux.Handle("GET /leads/{id}/decisions/{entry}", c.page(c.showDecision))
	mux.Handle("POST /leads/{id}/accept", c.page(c.accept))
	mux.Handle("POST /leads/{id}/reject", c.page(c.reject))
	mux.Handle("POST /leads/{id}/calls", c.page(c.recordCall))
	mux.Handle("POST /leads/{id}/outcomes", c.page(c.recordOutcome))
	mux.Handle("POST /leads/{id}/feedback", c.page(c.giveFeedback))
	mux.Handle("POST /leads/{id}/move", c.page(c.move))
	mux.Handle("POST /leads/{id}/claim", c.page(c.claim))
	mux.Handle("GET /line", c.page(c.showLine))
	mux.Handle("POST /line/move", c.page(c.moveMany))
	mux.Handle("POST /moves/undo", c.page(c.undoMove))
	mux.Handle("GET /people", c.page(c.showPeople))
	mux.Handle("POST /people/away", c.page(c.goAway))
	mux.Handle("POST /people/back", c.page(c.comeBack))
	mux.Handle("POST /people/presence", c.page(c.present))
	mux.Handle("GET /why-not", c.page(c.showWhyNot))
	mux.Handle("GET /disputes", c.page(c.showDisputes))
	mux.Handle("GET /disputes/{case}", c.page(c.showDispute))
	mux.Handle("POST /disputes/{case}/answer", c.page(c.answerDispute))
	mux.Handle("POST /disputes/{case}/decide", c.page(c.decideDispute))
	mux.Handle("GET /leads/{id}/dispute", c.page(c.showNewDispute))
	mux.Handle("POST /leads/{id}/dispute", c.page(c.openDispute))
	mux.Handle("GET /nurture", c.page(c.showNurture))
	mux.Handle("GET /intake", c.page(c.showIntake))
	mux.Handle("GET /reports/{name}", c.page(c.showReport))
	mux.Handle("GET /reports/{name}/leads", c.page(c.showCounted))
	mux.Handle("GET /targets", c.page(c.showTargets))
	mux.Handle("POST /targets/{quarter}/close", c.page(c.closeQuarter))
	mux.Handle("POST /targets/{quarter}/restate", c.page(c.restateQuarter))
	mux.Handle("POST /targets/{quarter}/recovery", c.page(c.planRecovery))
	mux.Handle("GET /agreement", c.page(c.showAgreement))
	mux.Handle("GET /agreement/versions/{version}", c.page(c.showVersion))
	mux.Handle("GET /agreement/versions/{version}/changes", c.page(c.showChanges))
	mux.Handle("POST /agreement/versions/{version}/read", c.page(c.readVersion))
	mux.HandleFunc("GET /live", c.stream)
	mux.Handle("GET /", c.page(c.nowhere))

	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(c.crossOrigin))
	return c.headers(guard.Handler(mux)), nil
}

// policy lets a page load its own files and nothing else, run no inline script
// and be framed by nobody.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (c *console) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if c.secure {
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
		}
		next.ServeHTTP(w, r)
	})
}
