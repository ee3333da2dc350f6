package console

import (
	"net/http"
	"net/url"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadbaton/baton/services/internal/access"
)

// visit is one signed-in request.
type visit struct {
	*services
	session *session
	reader  access.Actor
}

// page serves a page to whoever is signed in and shows the others the way in.
func (c *console) page(show func(http.ResponseWriter, *http.Request, *visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one, ok := c.sessions.find(r, true)
		if !ok {
			c.askToSignIn(w, r)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 128<<10)
		// A reader who went between the two look-ups is told so by the services.
		reader, _ := c.sessions.reader(one)
		if err := show(w, r, &visit{services: servicesFor(c.conn, one.token), session: one, reader: reader}); err != nil {
			c.fail(w, r, one, err)
		}
	})
}

// askToSignIn sends a reader to the sign-in and, afterwards, back.
func (c *console) askToSignIn(w http.ResponseWriter, r *http.Request) {
	to := "/signin"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// fail shows what went wrong, in the services' own words: those hold nothing
// personal.
func (c *console) fail(w http.ResponseWriter, r *http.Request, one *session, err error) {
	if status.Code(err) == codes.Unauthenticated {
		// The token was withdrawn after the sign-in.
		c.sessions.end(w, r)
		c.askToSignIn(w, r)
		return
	}
	code, title, text := explain(err)
	if code >= http.StatusInternalServerError {
		c.logger.WarnContext(r.Context(), "page failed", "fault", status.Code(err).String(), "status", code)
	}
	c.render(w, r, code, "fault", one, pageData{Title: title, Body: trouble{Title: title, Text: text}})
}

type trouble struct{ Title, Text string }

// explain turns a service's refusal into a page's status, heading and text.
func explain(err error) (code int, title, text string) {
	st := status.Convert(err)
	text = st.Message()
	switch st.Code() {
	case codes.NotFound:
		return http.StatusNotFound, "Not found", text
	case codes.InvalidArgument, codes.OutOfRange:
		return http.StatusBadRequest, "That cannot be asked", text
	case codes.PermissionDenied:
		return http.StatusForbidden, "Not for your role", text
	case codes.FailedPrecondition, codes.Aborted, codes.AlreadyExists:
		return http.StatusConflict, "Not possible now", text
	case codes.ResourceExhausted:
		return http.StatusServiceUnavailable, "Too busy", text
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return http.StatusServiceUnavailable, "No answer", "A service does not answer. Nothing is lost; try again in a moment."
	default:
		return http.StatusInternalServerError, "Something went wrong", "The page could not be made. What went wrong is in the log."
	}
}

// missing says in one sentence why a part of a page is not there, so that the
// other parts can stand.
func missing(err error) string {
	if err == nil {
		return ""
	}
	_, title, text := explain(err)
	if text == "" {
		return title + "."
	}
	return title + ": " + text
}

// withdrawn answers the first error that says that the token is no longer
// good: a page of nothing but refusals helps nobody.
func withdrawn(errs ...error) error {
	for _, err := range errs {
		if status.Code(err) == codes.Unauthenticated {
			return err
		}
	}
	return nil
}

func (c *console) nowhere(http.ResponseWriter, *http.Request, *visit) error {
	return status.Error(codes.NotFound, "There is no such page. The menu above leads to all there are.")
}

func (c *console) crossOrigin(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusForbidden, "fault", nil, pageData{Title: "Refused", Body: trouble{
		Title: "Refused",
		Text:  "This request came from another site. Open the page here and try again.",
	}})
}
