package console

import (
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/access"
)

type signInForm struct{ Next, Problem string }

func (c *console) showSignIn(w http.ResponseWriter, r *http.Request) {
	next := inside(r.URL.Query().Get("next"))
	if _, ok := c.sessions.find(r, true); ok {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	c.askForToken(w, r, http.StatusOK, signInForm{Next: next})
}

func (c *console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	form := signInForm{Next: inside(r.PostFormValue("next"))}
	token := strings.TrimSpace(r.PostFormValue("token"))
	if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		form.Problem = "That is not a token. It is one line without spaces."
		c.askForToken(w, r, http.StatusUnauthorized, form)
		return
	}
	if err := c.recognise(r, token); err != nil {
		code, _, text := explain(err)
		form.Problem = text
		if status.Code(err) == codes.Unauthenticated {
			code, form.Problem = http.StatusUnauthorized, "Nobody has this token. Check that it was copied whole, or ask whoever added you for a new one."
		}
		c.logger.InfoContext(r.Context(), "sign-in refused", "status", code)
		c.askForToken(w, r, code, form)
		return
	}
	c.sessions.start(w, r, token)
	http.Redirect(w, r, form.Next, http.StatusSeeOther)
}

// recognise says whether a token is somebody's. Where there is no directory, a
// call that every role may make shows whether the services take it.
func (c *console) recognise(r *http.Request, token string) error {
	if c.directory != nil {
		if _, known := c.directory.Lookup(access.HashToken(token)); !known {
			return status.Error(codes.Unauthenticated, "unknown token")
		}
		return nil
	}
	_, err := servicesFor(c.conn, token).reports.GetStatus(r.Context(), &feedbackv1.GetStatusRequest{})
	if status.Code(err) == codes.PermissionDenied {
		return nil
	}
	return err
}

func (c *console) askForToken(w http.ResponseWriter, r *http.Request, code int, form signInForm) {
	c.render(w, r, code, "signin", nil, pageData{Title: "Sign in", Body: form})
}

func (c *console) signOut(w http.ResponseWriter, r *http.Request) {
	c.sessions.end(w, r)
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}

// inside answers a path of this site, whatever was asked for: a sign-in never
// sends anybody elsewhere.
func inside(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") ||
		strings.HasPrefix(next, "/signin") || strings.HasPrefix(next, "/live") {
		return "/"
	}
	return next
}
