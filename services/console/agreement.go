package console

import (
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
)

type agreementView struct {
	// Shown is nil where no version is in force and none was asked for.
	Shown           *version
	Document        string
	Versions        []version
	VersionsProblem string
	More            bool
}

type version struct {
	Number             int64
	Name, ProposedBy   string
	Proposed, InForce  time.Time
	Now                bool
	Digest             []byte
	Signatures         []signature
	Standing, Unsigned string
}

type signature struct {
	Party, Actor string
	Signed       time.Time
	Key          []byte
}

func (c *console) showAgreement(w http.ResponseWriter, r *http.Request, v *visit) error {
	var number int64
	if text := r.URL.Query().Get("version"); text != "" {
		var err error
		if number, err = strconv.ParseInt(text, 10, 64); err != nil || number < 1 {
			return status.Error(codes.InvalidArgument, "A version of the agreement is a whole number, such as 2.")
		}
	}
	got, err := v.agreement.GetAgreement(r.Context(), &agreementv1.GetAgreementRequest{Version: number})
	if err != nil && (number != 0 || status.Code(err) != codes.NotFound) {
		return err
	}
	view := agreementView{}
	if err == nil {
		shown := versionOf(got)
		view.Shown, view.Document = &shown, string(got.GetDocument())
	}
	list, err := v.agreement.ListAgreements(r.Context(), &agreementv1.ListAgreementsRequest{})
	if err := withdrawn(err); err != nil {
		return err
	}
	view.VersionsProblem, view.More = missing(err), list.GetNextPageToken() != ""
	for _, a := range list.GetAgreements() {
		view.Versions = append(view.Versions, versionOf(a))
	}
	c.render(w, r, http.StatusOK, "agreement", v.session, pageData{Title: "Agreement", Nav: "agreement", Body: view})
	return nil
}

func versionOf(a *agreementv1.Agreement) version {
	out := version{
		Number: a.GetVersion(), Name: a.GetName(), ProposedBy: a.GetProposedBy(), Proposed: instant(a.GetProposedAt()),
		InForce: instant(a.GetInForceFrom()), Now: a.GetInForce(), Digest: a.GetDigest(),
	}
	open := map[string]bool{"marketing": true, "sales": true}
	for _, s := range a.GetSignatures() {
		out.Signatures = append(out.Signatures, signature{Party: s.GetParty(), Actor: s.GetActor(), Signed: instant(s.GetSignedAt()), Key: s.GetPublicKey()})
		delete(open, s.GetParty())
	}
	for _, party := range []string{"marketing", "sales"} {
		if !open[party] {
			continue
		}
		if out.Unsigned != "" {
			out.Unsigned += " and "
		}
		out.Unsigned += party
	}
	switch {
	case out.Now:
		out.Standing = "in force"
	case out.Unsigned != "":
		out.Standing = "not signed by " + out.Unsigned
	case out.InForce.IsZero():
		out.Standing = "signed"
	default:
		out.Standing = "not in force now"
	}
	return out
}
