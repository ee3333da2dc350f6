package console

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
)

type agreementView struct {
	// Shown is nil where no version is in force and none was asked for.
	Shown *version
	// Page is the document that people sign, made by the agreement's own renderer.
	Page            template.HTML
	PageProblem     string
	Document        string
	Versions        []version
	VersionsProblem string
	More            bool
}

type version struct {
	Number             int64
	Name, ProposedBy   string
	Why                string
	Proposed           time.Time
	InForce, Until     time.Time
	Now, Draft         bool
	Digest             []byte
	Signatures         []signature
	Standing, Unsigned string
	Read               []receipt
	Unread             []string
	// MayRead says that whoever looks has not said yet that they have read it.
	MayRead bool
	// Before is the version before it; 0 = there is none.
	Before int64
}

type receipt struct {
	Member string
	At     time.Time
}

type signature struct {
	Party, Actor string
	Signed       time.Time
	// Key is the public key as the document has it.
	Key string
}

// agreementPath is the address of a version, which answers the same for ever.
func agreementPath(version any) string { return "/agreement/versions/" + fmt.Sprint(version) }

func numberOf(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, status.Error(codes.InvalidArgument, "A version of the agreement is a whole number, such as 2.")
	}
	return n, nil
}

// showAgreement shows the version in force, or the one that is asked for.
func (c *console) showAgreement(w http.ResponseWriter, r *http.Request, v *visit) error {
	var number int64
	if text := r.URL.Query().Get("version"); text != "" {
		var err error
		if number, err = numberOf(text); err != nil {
			return err
		}
	}
	return c.agreementPage(w, r, v, number)
}

// showVersion shows one version: a link to it answers the same content later.
func (c *console) showVersion(w http.ResponseWriter, r *http.Request, v *visit) error {
	number, err := numberOf(r.PathValue("version"))
	if err != nil {
		return err
	}
	return c.agreementPage(w, r, v, number)
}

func (c *console) agreementPage(w http.ResponseWriter, r *http.Request, v *visit, number int64) error {
	got, err := v.agreement.GetAgreement(r.Context(), &agreementv1.GetAgreementRequest{Version: number})
	if err != nil && (number != 0 || status.Code(err) != codes.NotFound) {
		return err
	}
	view := agreementView{}
	if err == nil {
		shown := versionOf(got)
		shown.MayRead = !shown.readBy(v.reader.Handle)
		view.Shown, view.Document = &shown, string(got.GetDocument())
		page, err := v.agreement.RenderAgreement(r.Context(), &agreementv1.RenderAgreementRequest{Version: got.GetVersion()})
		if err := withdrawn(err); err != nil {
			return err
		}
		view.PageProblem = missing(err)
		view.Page = template.HTML(page.GetFragment()) // #nosec G203 -- the service's own renderer escapes what is in it
	}
	list, err := v.agreement.ListAgreements(r.Context(), &agreementv1.ListAgreementsRequest{})
	if err := withdrawn(err); err != nil {
		return err
	}
	view.VersionsProblem, view.More = missing(err), list.GetNextPageToken() != ""
	for _, a := range list.GetAgreements() {
		view.Versions = append(view.Versions, versionOf(a))
	}
	replaced(view.Versions)
	for _, one := range view.Versions {
		if view.Shown != nil && one.Number == view.Shown.Number {
			view.Shown.Before = one.Before
		}
	}
	c.render(w, r, http.StatusOK, "agreement", v.session, pageData{Title: "Agreement", Nav: "agreement", Body: view})
	return nil
}

// replaced says of versions, newest first, with which one each is compared: the
// last before it that both parties had signed. What never counted is no measure,
// unless there is nothing else.
func replaced(versions []version) {
	for i := range versions {
		for _, older := range versions[i+1:] {
			if !older.InForce.IsZero() {
				versions[i].Before = older.Number
				break
			}
		}
	}
}

// readVersion records that whoever is signed in has read a version.
func (c *console) readVersion(w http.ResponseWriter, r *http.Request, v *visit) error {
	number, err := numberOf(r.PathValue("version"))
	if err != nil {
		return err
	}
	if _, err := v.agreement.RecordRead(r.Context(), &agreementv1.RecordReadRequest{Version: number}); err != nil {
		return err
	}
	c.sessions.say(v.session, "Recorded: you have read version "+strconv.FormatInt(number, 10)+".")
	http.Redirect(w, r, agreementPath(number), http.StatusSeeOther)
	return nil
}

type changesView struct {
	Old, New int64
	Versions []version
	Parts    []changedPart
}

type changedPart struct {
	Title   string
	Changes []change
}

type change struct{ About, Text, For, Kind string }

// showChanges says what changes from one version to another.
func (c *console) showChanges(w http.ResponseWriter, r *http.Request, v *visit) error {
	number, err := numberOf(r.PathValue("version"))
	if err != nil {
		return err
	}
	var with int64
	if text := r.URL.Query().Get("with"); text != "" {
		if with, err = numberOf(text); err != nil {
			return err
		}
	}
	got, err := v.agreement.CompareAgreements(r.Context(), &agreementv1.CompareAgreementsRequest{Version: number, With: with})
	if err != nil {
		return err
	}
	view := changesView{Old: got.GetOldVersion(), New: got.GetNewVersion()}
	for _, one := range got.GetChanges() {
		if n := len(view.Parts); n == 0 || view.Parts[n-1].Title != one.GetPart() {
			view.Parts = append(view.Parts, changedPart{Title: one.GetPart()})
		}
		last := &view.Parts[len(view.Parts)-1]
		last.Changes = append(last.Changes, change{strings.TrimSuffix(one.GetAbout(), "."), one.GetText(), strings.Join(one.GetConcerns(), ", "), one.GetKind()})
	}
	list, err := v.agreement.ListAgreements(r.Context(), &agreementv1.ListAgreementsRequest{})
	if err := withdrawn(err); err != nil {
		return err
	}
	for _, a := range list.GetAgreements() {
		view.Versions = append(view.Versions, versionOf(a))
	}
	c.render(w, r, http.StatusOK, "changes", v.session, pageData{Title: "What changes", Nav: "agreement", Body: view})
	return nil
}

func (v *version) readBy(member string) bool {
	for _, r := range v.Read {
		if r.Member == member {
			return true
		}
	}
	return false
}

func versionOf(a *agreementv1.Agreement) version {
	out := version{
		Number: a.GetVersion(), Name: a.GetName(), ProposedBy: a.GetProposedBy(), Why: a.GetWhy(), Proposed: instant(a.GetProposedAt()),
		InForce: instant(a.GetInForceFrom()), Until: instant(a.GetInForceUntil()), Now: a.GetInForce(), Digest: a.GetDigest(),
		Unread: a.GetUnread(), Before: a.GetVersion() - 1,
	}
	for _, r := range a.GetReceipts() {
		out.Read = append(out.Read, receipt{r.GetMember(), instant(r.GetAt())})
	}
	open := map[string]bool{"marketing": true, "sales": true}
	for _, s := range a.GetSignatures() {
		out.Signatures = append(out.Signatures, signature{Party: s.GetParty(), Actor: s.GetActor(), Signed: instant(s.GetSignedAt()), Key: "ed25519:" + base64.StdEncoding.EncodeToString(s.GetPublicKey())})
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
	out.Draft = out.Unsigned != ""
	switch {
	case out.Now:
		out.Standing = "in force"
	case out.Draft:
		out.Standing = "draft, not signed by " + out.Unsigned
	case a.GetStanding() == agreementv1.Standing_STANDING_AGREED:
		out.Standing = "signed, not in force yet"
	case a.GetStanding() == agreementv1.Standing_STANDING_PAST:
		out.Standing = "no longer in force"
	case out.InForce.IsZero():
		out.Standing = "signed"
	default:
		out.Standing = "not in force now"
	}
	return out
}

// withPath is the address of a comparison.
func withPath(old, now int64) string {
	return agreementPath(now) + "/changes?with=" + url.QueryEscape(strconv.FormatInt(old, 10))
}
