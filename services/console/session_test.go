package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadbaton/baton/services/internal/clock"
)

func TestSignInFlow(t *testing.T) {
	s := newStand(t)
	a := s.get("/leads?state=won")
	if to := a.Header.Get("Location"); a.StatusCode != 303 || to != "/signin?next=%2Fleads%3Fstate%3Dwon" {
		t.Fatalf("unsigned visit answered %d to %q", a.StatusCode, to)
	}
	s.get("/signin?next=%2Fleads%3Fstate%3Dwon").has(t, 200, "Sign in", "Token")
	for _, wrong := range []string{"", "nobody-has-this", "two words", "line\nbreak"} {
		a := s.post("/signin", url.Values{"token": {wrong}})
		a.has(t, 401, "token")
		if wrong != "" && strings.Contains(a.text, wrong) {
			t.Errorf("the page repeats %q", wrong)
		}
		if len(a.Cookies()) != 0 {
			t.Errorf("a refused sign-in sets %v", a.Cookies())
		}
	}
	a = s.post("/signin", url.Values{"token": {" " + anaToken + "\n"}, "next": {"/leads?state=won"}})
	if to := a.Header.Get("Location"); a.StatusCode != 303 || to != "/leads?state=won" {
		t.Fatalf("sign-in answered %d to %q", a.StatusCode, to)
	}
	cookie := a.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Secure {
		t.Errorf("cookie %v", cookie)
	}
	if strings.Contains(cookie.String(), anaToken) || len(cookie.Value) < 26 {
		t.Errorf("cookie %v", cookie)
	}
	s.get("/").has(t, 200, "ana")
	if a := s.get("/signin"); a.StatusCode != 303 {
		t.Errorf("a signed-in reader is asked again: %d", a.StatusCode)
	}

	// A new sign-in ends the old session.
	again := s.post("/signin", url.Values{"token": {benToken}}).Cookies()[0]
	if again.Value == cookie.Value {
		t.Error("the id stays over a sign-in")
	}
	if a := s.visitWith(cookie); a != 303 {
		t.Errorf("the old id answers %d", a)
	}
	if a := s.visitWith(again); a != 200 {
		t.Errorf("the new id answers %d", a)
	}
	if a := s.post("/signout", nil); a.StatusCode != 303 || a.Header.Get("Location") != "/signin" {
		t.Errorf("sign-out answered %d", a.StatusCode)
	}
	if a := s.visitWith(again); a != 303 {
		t.Errorf("after the sign-out the id answers %d", a)
	}
}

// visitWith asks for the leads with one cookie, in a browser of its own.
func (s *stand) visitWith(c *http.Cookie) int {
	s.Helper()
	req, err := http.NewRequest(http.MethodGet, s.server.URL+"/leads", nil)
	if err != nil {
		s.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestSignInNeverLeadsOutside(t *testing.T) {
	for next, want := range map[string]string{
		"/leads/x?y=1": "/leads/x?y=1", "": "/", "leads": "/", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example": "/",
		"/\t/evil.example": "/", "/signin?next=/": "/", "/live?from=1": "/",
	} {
		if got := inside(next); got != want {
			t.Errorf("inside(%q) = %q, want %q", next, got, want)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	ok := func(want int) {
		t.Helper()
		if a := s.get("/leads"); a.StatusCode != want {
			t.Errorf("at %v a visit answered %d, want %d", s.clock.Now(), a.StatusCode, want)
		}
	}
	s.clock.Set(at.Add(idleEnd - time.Second))
	ok(200)
	s.clock.Set(at.Add(2*idleEnd - 2*time.Second))
	ok(200)
	s.clock.Set(at.Add(3*idleEnd - 3*time.Second))
	ok(200)
	s.clock.Set(at.Add(absoluteEnd))
	ok(303)

	s.signIn(anaToken)
	s.clock.Set(s.clock.Now().Add(idleEnd))
	ok(303)
}

func TestWithdrawnTokenEndsTheSession(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	s.fixed.withdrawn[anaToken] = true
	for _, path := range []string{"/", "/leads", "/leads/" + offeredLead, "/agreement", "/reports/funnel"} {
		if a := s.get(path); a.StatusCode != 303 || !strings.HasPrefix(a.Header.Get("Location"), "/signin") {
			t.Errorf("%s answered %d to %q", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
}

// Who loses their token loses their session with it, whatever the services say.
func TestForgottenReaderIsSignedOut(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	s.fixed.left[anaToken] = true
	if a := s.get("/leads"); a.StatusCode != 303 {
		t.Errorf("answered %d", a.StatusCode)
	}
	delete(s.fixed.left, anaToken)
	if a := s.get("/leads"); a.StatusCode != 303 {
		t.Errorf("the session is back: %d", a.StatusCode)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	c := clock.NewVirtual(at)
	s := newSessions(c, nil, false)
	for range mostOpen + 10 {
		s.start(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/signin", nil), anaToken)
		c.Set(c.Now().Add(time.Millisecond))
	}
	if n := len(s.open); n != mostOpen {
		t.Errorf("%d sessions are open", n)
	}
	for _, one := range s.open {
		if one.opened.Before(at.Add(10 * time.Millisecond)) {
			t.Errorf("a session of %v outlived a younger one", one.opened)
		}
	}
}

func TestHeaders(t *testing.T) {
	s := newStand(t)
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":  "nosniff",
		"Cache-Control":           "no-store",
		"Referrer-Policy":         "same-origin",
	}
	look := func(a answer) {
		t.Helper()
		for k, v := range want {
			if got := a.Header.Get(k); got != v {
				t.Errorf("%s: %s is %q", a.Request.URL.Path, k, got)
			}
		}
	}
	look(s.get("/signin"))
	look(s.get("/"))
	s.signIn(anaToken)
	for _, p := range []string{"/", "/leads", "/nowhere", "/assets/none"} {
		look(s.get(p))
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	for _, path := range []string{"/signin", "/signout", "/leads/" + offeredLead + "/accept", "/leads/" + offeredLead + "/reject"} {
		for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			req, err := http.NewRequest(http.MethodPost, s.server.URL+path, strings.NewReader("token="+benToken))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set(header, value)
			s.do(req).has(t, 403, "came from another site")
		}
		if a := s.get(path); path != "/signin" && a.StatusCode != 405 && a.StatusCode != 404 {
			t.Errorf("GET %s answered %d", path, a.StatusCode)
		}
	}
	if len(s.fixed.accepts)+len(s.fixed.rejects) != 0 {
		t.Error("another site acted")
	}
	s.get("/").has(t, 200, "ana")
}

func TestSecureCookieIsBoundToTheHost(t *testing.T) {
	f := newFixed()
	h, err := New(Config{Conn: f.serve(t), Directory: f, Clock: clock.NewVirtual(at), Secure: true})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/signin", strings.NewReader("token="+anaToken))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(w, r)
	c := w.Result().Cookies()[0]
	if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || c.Domain != "" || c.Path != "/" {
		t.Errorf("cookie %v", c)
	}
}

// Without a directory, any token that the services take is let in, and what it
// may do is for them to say.
func TestWithoutADirectory(t *testing.T) {
	s := &stand{T: t, fixed: newFixed(), clock: clock.NewVirtual(at)}
	s.open(Config{Conn: s.fixed.serve(t), Clock: s.clock})
	s.post("/signin", url.Values{"token": {"nobody-has-this"}}).has(t, 401, "Nobody has this token")
	s.fixed.refuse["GetStatus"] = status.Error(codes.Unavailable, "x")
	s.post("/signin", url.Values{"token": {anaToken}}).has(t, 503, "try again in a moment")
	s.fixed.refuse["GetStatus"] = status.Error(codes.PermissionDenied, "x")
	s.signIn(cloToken)
	delete(s.fixed.refuse, "GetStatus")
	s.get("/leads/"+offeredLead).has(t, 200, "Only ana can do this.", "Accept this lead")
}

func TestNewNeedsAConnection(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a console without a connection was made")
	}
}
