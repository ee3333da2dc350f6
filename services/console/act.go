package console

import (
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// accept takes an offered lead for whoever is signed in.
func (c *console) accept(w http.ResponseWriter, r *http.Request, v *visit) error {
	_, err := v.routing.Accept(r.Context(), &routingv1.AcceptRequest{
		LeadId: r.PathValue("id"), IdempotencyKey: r.PostFormValue("key"),
	})
	return c.acted(w, r, v, err, "Accepted: the lead is yours.", nil)
}

// reject declines a lead for whoever is signed in.
func (c *console) reject(w http.ResponseWriter, r *http.Request, v *visit) error {
	tried := &act{Reason: strings.TrimSpace(r.PostFormValue("reason")), Note: strings.TrimSpace(r.PostFormValue("note"))}
	if tried.Reason == "" {
		err := status.Error(codes.InvalidArgument, "A rejection needs a reason from the agreement's list.")
		return c.acted(w, r, v, err, "", tried)
	}
	got, err := v.routing.Reject(r.Context(), &routingv1.RejectRequest{
		LeadId: r.PathValue("id"), Reason: tried.Reason, Note: tried.Note, IdempotencyKey: r.PostFormValue("key"),
	})
	return c.acted(w, r, v, err, "Rejected. "+whatFollows(got.GetConsequence()), tried)
}

// acted leads back to the lead: afresh after success, so that reloading repeats
// nothing; with what stood against it and what was typed otherwise.
func (c *console) acted(w http.ResponseWriter, r *http.Request, v *visit, err error, done string, tried *act) error {
	if err == nil {
		c.sessions.say(v.session, done)
		http.Redirect(w, r, leadPath(r.PathValue("id")), http.StatusSeeOther)
		return nil
	}
	if c := status.Code(err); c == codes.Unauthenticated || c == codes.NotFound {
		return err
	}
	code, title, text := explain(err)
	return c.renderLead(w, r, v, code, strings.TrimSpace(title+". "+text), tried)
}

func whatFollows(c leadv1.Consequence) string {
	switch c {
	case leadv1.Consequence_CONSEQUENCE_NEXT_PERSON:
		return "The lead goes to the next person in turn."
	case leadv1.Consequence_CONSEQUENCE_NURTURE:
		return "The lead goes back to marketing."
	case leadv1.Consequence_CONSEQUENCE_DISQUALIFY:
		return "The lead is out."
	default:
		return ""
	}
}

// goes is where a reason for rejecting sends the lead, as a list of choices says it.
func goes(c leadv1.Consequence) string {
	switch c {
	case leadv1.Consequence_CONSEQUENCE_NEXT_PERSON:
		return "to the next person"
	case leadv1.Consequence_CONSEQUENCE_NURTURE:
		return "back to marketing"
	case leadv1.Consequence_CONSEQUENCE_DISQUALIFY:
		return "out"
	default:
		return ""
	}
}
