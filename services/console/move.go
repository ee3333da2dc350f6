package console

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/lead"
)

// moveForm is what a manager says to move leads, with what was typed.
type moveForm struct {
	// Key makes a form that is sent twice harmless.
	Key string
	// Reasons are the agreed ones for moving leads.
	Reasons []*agreementv1.MoveReason
	// People can be given leads.
	People []string
	// Reason, To and Note are what was typed.
	Reason, To, Note string
	Problem          string
}

// mayMove says whether leads are a reader's to move. Who may in truth is for the services
// to say; where it is not known who reads, the form is there.
func mayMove(reader access.Actor) bool {
	return reader.Handle == "" || reader.Has(access.Manager, access.Operator)
}

// movable says whether a lead is with sales, so that it can be moved.
func movable(l *leadv1.Lead) bool {
	switch l.GetState() {
	case leadv1.State_STATE_WAITING, leadv1.State_STATE_OFFERED, leadv1.State_STATE_ACCEPTED, leadv1.State_STATE_WORKING:
		return !l.GetHistorical()
	}
	return false
}

// moveForm asks what a form for moving leads offers; it is nil where the reader moves
// none. not is who has the lead already.
func (v *visit) moveForm(ctx context.Context, not string) (*moveForm, error) {
	if !mayMove(v.reader) {
		return nil, nil
	}
	agreed, err := v.agreement.GetAgreement(ctx, &agreementv1.GetAgreementRequest{})
	people, peopleErr := v.routing.ListMembers(ctx, &routingv1.ListMembersRequest{})
	if err := withdrawn(err, peopleErr); err != nil {
		return nil, err
	}
	f := &moveForm{Key: rand.Text(), Reasons: agreed.GetMoveReasons(), Problem: missing(firstOf(err, peopleErr))}
	for _, m := range people.GetMembers() {
		sells := slices.Contains(m.GetRoles(), access.Sales) || slices.Contains(m.GetRoles(), access.Qualifier)
		if sells && !m.GetAway() && !m.GetDeactivated() && m.GetMember() != not {
			f.People = append(f.People, m.GetMember())
		}
	}
	return f, nil
}

// keep puts what was typed back into the form.
func (f *moveForm) keep(r *http.Request) {
	f.Reason, f.To, f.Note = r.PostFormValue("reason"), r.PostFormValue("to"), r.PostFormValue("note")
}

// errNoReason refuses a move that says no reason.
func errNoReason() error {
	return status.Error(codes.InvalidArgument, "A move needs a reason from the agreement's list.")
}

// move moves one lead.
func (c *console) move(w http.ResponseWriter, r *http.Request, v *visit) error {
	req := &routingv1.ReassignRequest{
		LeadId: r.PathValue("id"), To: r.PostFormValue("to"), Reason: strings.TrimSpace(r.PostFormValue("reason")), Note: strings.TrimSpace(r.PostFormValue("note")), IdempotencyKey: r.PostFormValue("key"),
	}
	err := errNoReason()
	var got *routingv1.ReassignResponse
	if req.GetReason() != "" {
		got, err = v.routing.Reassign(r.Context(), req)
	}
	if err == nil {
		where := "it is offered to " + got.GetOfferedTo()
		if got.GetOfferedTo() == "" {
			where = "it waits for " + lead.WaitsFor(got.GetBlockedBy())
		}
		c.sessions.say(v.session, "Moved: "+where+". This is move "+got.GetBatchId()+"; it can be taken back on the page of the line.")
		http.Redirect(w, r, leadPath(r.PathValue("id")), http.StatusSeeOther)
		return nil
	}
	if c := status.Code(err); c == codes.Unauthenticated || c == codes.NotFound {
		return err
	}
	code, title, text := explain(err)
	return c.renderLeadWith(w, r, v, code, strings.TrimSpace(title+". "+text), func(view *leadView) {
		if view.Move != nil {
			view.Move.keep(r)
		}
	})
}

// movedTogether bounds what one call moves: all calls of one form are one move.
const movedTogether = 200

// movedView is what became of the leads of a move.
type movedView struct {
	Batch  string
	Undone bool
	Key    string
	*routingv1.BulkReassignResponse
}

// moveMany moves the leads that were chosen on the page of the line, or all open leads of
// a person.
func (c *console) moveMany(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return status.Error(codes.InvalidArgument, "The form cannot be read; go back and send it again.")
	}
	req := &routingv1.BulkReassignRequest{
		From: r.PostFormValue("from"), To: r.PostFormValue("to"), Reason: strings.TrimSpace(r.PostFormValue("reason")), IdempotencyKey: r.PostFormValue("key"),
	}
	leads := r.PostForm["lead"]
	if r.PostFormValue("all") == "yes" {
		leads = r.PostForm["shown"]
	}
	switch {
	case req.GetReason() == "":
		return errNoReason()
	case req.GetFrom() == "" && len(leads) == 0:
		return status.Error(codes.InvalidArgument, "No lead was chosen. Go back and tick those that are to be moved.")
	case req.GetFrom() != "":
		req.DryRun = true
		all, err := v.routing.BulkReassign(r.Context(), req)
		if err != nil {
			return err
		}
		req.DryRun, leads = false, nil
		for _, m := range all.GetLeads() {
			leads = append(leads, m.GetLeadId())
		}
	}
	view := movedView{Key: rand.Text(), BulkReassignResponse: &routingv1.BulkReassignResponse{}}
	for part := range slices.Chunk(leads, movedTogether) {
		req.LeadIds = part
		done, err := v.routing.BulkReassign(r.Context(), req)
		if err != nil {
			return err
		}
		view.add(done)
	}
	c.render(w, r, http.StatusOK, "moved", v.session, pageData{Title: "Moved", Nav: "line", Body: view})
	return nil
}

func (view *movedView) add(done *routingv1.BulkReassignResponse) {
	view.Batch = done.GetBatchId()
	view.Leads = append(view.Leads, done.GetLeads()...)
	view.Moved += done.GetMoved()
	view.Refused += done.GetRefused()
}

// undoMove takes a move back.
func (c *console) undoMove(w http.ResponseWriter, r *http.Request, v *visit) error {
	batch := strings.TrimSpace(r.PostFormValue("batch"))
	if batch == "" {
		return status.Error(codes.InvalidArgument, "Say which move is to be taken back: its id begins with b.")
	}
	done, err := v.routing.UndoReassign(r.Context(), &routingv1.UndoReassignRequest{BatchId: batch, IdempotencyKey: r.PostFormValue("key")})
	if err != nil {
		return err
	}
	view := movedView{Undone: true, BulkReassignResponse: &routingv1.BulkReassignResponse{}}
	view.add(done)
	c.render(w, r, http.StatusOK, "moved", v.session, pageData{Title: "Given back", Nav: "line", Body: view})
	return nil
}
