package console

import (
	"strings"
	"testing"
)

// What is overdue stands first, with by how much, and an empty page says what to do.
func TestNurturePage(t *testing.T) {
	s := newStand(t)
	s.signIn(cloToken)
	a := s.get("/nurture")
	a.has(t, 200, "Overdue 1", "Due within 7 days 1", "Later 1,204", "overdue by 3 d 3 h", "in 1 d 2 h", "invitation", "the plan holds no more",
		"sent back by sales", "Back to marketing: sales rejected it as <b>not-ready</b>.", "profile not met", "Due later")
	s.get("/nurture?overdue=yes").has(t, 200, "overdue by 3 d 3 h")
	if only := s.get("/nurture?overdue=yes"); strings.Contains(only.words(t), "in 1 d 2 h") {
		t.Error("a lead that is not due stands on the page of those that are")
	}
	s.fixed.empty = true
	s.get("/nurture").has(t, 200, "No lead is with marketing.", "baton import touches.csv --source web --kind activities")
}
