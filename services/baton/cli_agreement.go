package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
)

func agreementCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "agreement",
		GroupID: groupSet,
		Short:   "The agreement that both departments sign",
		Long: `The agreement says which leads are worth a salesperson's time, who gets them, by
when, and what happens if not. Nothing counts before marketing and sales have
both signed it. Until then leads are kept, and wait.

  baton agreement init                      write a starter document and two keys
  baton agreement check agreement.yaml      see what is wrong with it, if anything
  baton agreement try --agreement new.yaml  see what a new one would change
  baton agreement propose agreement.yaml    put it on the table; answers its version
  baton agreement sign 1 --as marketing --key marketing.key
  baton agreement sign 1 --as sales --key sales.key
  baton agreement show                      what is in force now

To change it later: edit the document, see with diff what changes for whom and with
try on which leads, propose it, and let both sign it. render makes the document that
people read and sign.`,
	}, agreementInit(), agreementKeygen(), agreementCheck(), agreementRender(), agreementDiff(), agreementTry(), agreementPropose(), agreementSign(), agreementRead(),
		agreementShow(), agreementList(), agreementHistory(), agreementGlossary(), agreementExport(), agreementVerify(),
		agreementFields(), agreementAudience(), agreementSchema(), agreementReference(), agreementHolidays())
}

func agreementInit() *cobra.Command {
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a starter agreement and a key for each party",
		Long: `Writes a starter agreement that is complete and says in comments what can be
changed, and two keys, marketing.key and sales.key, with which the parties sign.
Give each key to the person who answers for that department and to nobody else.
Nothing that exists already is overwritten. No running system is needed.`,
		Example: `  baton agreement init
  baton agreement init --members ana,ben,chloe --zone Europe/Berlin --keys ./keys`,
		Args: exactly(),
	}
	flags := c.Flags()
	out := flags.String("out", "agreement.yaml", "file for the document")
	keys := flags.String("keys", ".", "directory for the two keys")
	members := flags.StringSlice("members", nil, "handles of the people who get leads (default ana,ben,chloe,dan)")
	zone := flags.String("zone", "", "time zone of the working calendar, such as Europe/Berlin (default UTC)")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return writeStarter(cmd, *out, *keys, agreement.StarterParams{Zone: *zone, Members: *members})
	}
	return c
}

func writeStarter(cmd *cobra.Command, out, dir string, p agreement.StarterParams) error {
	marketing, sales := keyPath(dir, agreement.Marketing), keyPath(dir, agreement.Sales)
	for _, path := range []string{out, marketing, sales} {
		if _, err := os.Lstat(path); err == nil {
			return fault.New(fault.State, "%s exists already, and nothing is overwritten; move it away, or choose other places with --out and --keys", path)
		}
	}
	var keys [2]ed25519.PrivateKey
	for i := range keys {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			return err
		}
		keys[i] = key
	}
	p.MarketingKey, p.SalesKey = publicKey(keys[0]), publicKey(keys[1])
	document := agreement.Starter(p)
	if _, err := agreement.Compile(document); err != nil {
		var bad *agreement.Problems
		if errors.As(err, &bad) {
			return misused(cmd, "--zone and --members do not make an agreement: %s", bad.List[0].Text)
		}
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.New(fault.Unavailable, "the directory for the keys cannot be made: %w", err)
	}
	for i, path := range []string{marketing, sales} {
		if err := writeKey(path, keys[i]); err != nil {
			return err
		}
	}
	if err := writeNew(out, document, 0o644); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), `Written:
  %s  the agreement; read it, and change what does not fit
  %s  the key of marketing (mode 0600)
  %s  the key of sales (mode 0600)

Next:
  baton agreement check %[1]s
  baton agreement propose %[1]s
  baton agreement sign 1 --as marketing --key %[2]s
  baton agreement sign 1 --as sales --key %[3]s
`, out, marketing, sales)
	return err
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fault.New(fault.State, "%s cannot be written: %w", path, err)
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(fault.New(fault.Unavailable, "%s cannot be written: %w", path, err), f.Close())
	}
	return f.Close()
}

// maxDocument is as much of a file as can be an agreement.
const maxDocument = 1 << 20

func readDocument(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.New(fault.NotFound, "the agreement cannot be read: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the agreement cannot be read: %w", err)
	}
	if len(data) > maxDocument {
		return nil, fault.New(fault.Invalid, "%s is larger than 1 MiB, so it is no agreement", path)
	}
	return data, nil
}

// problemJSON is one problem for machines.
type problemJSON struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Text    string `json:"text"`
	Excerpt string `json:"excerpt"`
}

// compileFile reads a document and lists everything that is wrong with it.
func compileFile(cmd *cobra.Command, path, format string) (*agreement.Agreement, []byte, error) {
	document, err := readDocument(path)
	if err != nil {
		return nil, nil, err
	}
	a, err := agreement.Compile(document)
	var bad *agreement.Problems
	switch {
	case err == nil:
		return a, document, nil
	case !errors.As(err, &bad):
		return nil, nil, err
	}
	out := cmd.OutOrStdout()
	if format == formatJSON {
		if err := writeJSON(out, map[string]any{"file": path, "ok": false, "problems": problemsJSON(bad.List), "more": bad.More}); err != nil {
			return nil, nil, err
		}
	} else {
		writeProblems(out, path, bad.List)
		if bad.More > 0 {
			fmt.Fprintf(out, "and %d more; correct these first\n", bad.More)
		}
	}
	return nil, nil, fault.New(fault.Invalid, "%s has %s", path, counted(int64(len(bad.List)+bad.More), "problem", "problems"))
}

func problemsJSON(list []agreement.Problem) []problemJSON {
	out := make([]problemJSON, 0, len(list))
	for _, p := range list {
		out = append(out, problemJSON(p))
	}
	return out
}

// writeProblems lists what was found in a document, each at its place.
func writeProblems(out io.Writer, path string, list []agreement.Problem) {
	for _, p := range list {
		where := ""
		if p.Path != "" {
			where = p.Path + ": "
		}
		fmt.Fprintf(out, "%s:%d:%d: %s%s\n", path, p.Line, p.Column, plain(where), plain(p.Text))
		if p.Excerpt != "" {
			fmt.Fprintln(out, excerpt(p.Excerpt))
		}
	}
}

// excerpt keeps the tabs of an excerpt, so that the caret stays in place.
func excerpt(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		parts := strings.Split(line, "\t")
		for j := range parts {
			parts[j] = plain(parts[j])
		}
		lines[i] = strings.Join(parts, "\t")
	}
	return strings.Join(lines, "\n")
}

func agreementCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Say what is wrong with a document, with line and column",
		Long: `Reads an agreement the way the running system will: every key must be known, every
condition must fit the words that it uses, every stage needs somebody who answers
for it. It also looks for leads that show what the rules mean together: must-haves
that exclude each other, points that no lead reaches, rules that others always come
before. Lists everything that is wrong, each at its line and column, and ends with
status 1; or says that nothing is. What may be meant that way (two personas that
fit the same lead, leads that no handoff takes) is noted with an example, and is no
reason to refuse. No running system is needed; with --server, the one there also says
which facts rules use and no source states.`,
		Example: `  baton agreement check agreement.yaml
  baton agreement check agreement.yaml --server localhost:9090`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := formatOf(cmd)
			if err != nil {
				return err
			}
			a, document, err := compileFile(cmd, args[0], format)
			if err != nil {
				return err
			}
			unsupplied, err := unsupplied(cmd, args, document)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			digest := a.Digest()
			if format == formatJSON {
				answer := map[string]any{"file": args[0], "ok": true, "problems": []problemJSON{}, "more": 0, "notices": problemsJSON(a.Notices()), "name": a.Name(), "digest": hex.EncodeToString(digest[:])}
				if unsupplied != nil {
					answer["unsupplied"] = unsupplied
				}
				return writeJSON(out, answer)
			}
			if notices := a.Notices(); len(notices) > 0 {
				fmt.Fprintf(out, "%s to look at; nothing of it keeps the agreement from being proposed:\n", counted(int64(len(notices)), "thing", "things"))
				writeProblems(out, args[0], notices)
			}
			if _, err := fmt.Fprintf(out, "%s is complete: %s, SHA-256 %x\n", args[0], cell(a.Name()), digest); err != nil {
				return err
			}
			return writeNotices(out, unsupplied)
		},
	}
}

func agreementPropose() *cobra.Command {
	c := &cobra.Command{
		Use:   "propose FILE",
		Short: "Put a document on the table",
		Long: `Checks a document, sends it to the running system and answers the version that it
got. It counts once both parties have signed that version. To propose the very same
document again answers the same version. Say with --why what it is for, and with
--dispute whose verdicts it answers: the history shows it, and each of those cases
shows that it led here.`,
		Example: `  baton agreement propose agreement.yaml
  baton agreement propose agreement.yaml --why "too many leads below 50 employees"
  baton agreement propose agreement.yaml --dispute l2c4qxyzabcd-1,l7f3tuvwefgh-1`,
		Args: exactly("FILE"),
	}
	why := c.Flags().String("why", "", "why it is proposed, for the history")
	disputes := c.Flags().StringSlice("dispute", nil, "decided cases that it answers, by their numbers separated by commas")
	c.RunE = client(func(c *call) error {
		_, document, err := compileFile(c.cmd, c.args[0], c.format)
		if err != nil {
			return err
		}
		digest := sha256.Sum256(document)
		a, err := agreementv1.NewAgreementServiceClient(c.conn).Propose(c.ctx, &agreementv1.ProposeRequest{Document: document, IdempotencyKey: hex.EncodeToString(digest[:]), Why: *why, Disputes: *disputes})
		if err != nil {
			return err
		}
		if c.format == formatJSON {
			return writeJSON(c.cmd.OutOrStdout(), agreementOf(a, false))
		}
		_, err = fmt.Fprintf(c.cmd.OutOrStdout(), `Version %d is on the table: %s
SHA-256 %x

It is a draft until both have signed it:
  baton agreement sign %[1]d --as marketing --key marketing.key
  baton agreement sign %[1]d --as sales --key sales.key
`, a.GetVersion(), cell(a.GetName()), a.GetDigest())
		if err != nil {
			return err
		}
		return writeNotices(c.cmd.OutOrStdout(), a.GetNotices())
	})
	return c
}

func agreementSign() *cobra.Command {
	c := &cobra.Command{
		Use:   "sign VERSION --as marketing|sales --key FILE",
		Short: "Sign a version for one party",
		Long: `Fetches the document of that version, checks that it is the one that the digest
names, shows its name and digest, and signs the digest with the party's key. Read
the document first: baton agreement show VERSION. The key stays on this machine.`,
		Example: `  baton agreement show 2
  baton agreement sign 2 --as sales --key sales.key`,
		Args: exactly("VERSION"),
	}
	party := c.Flags().String("as", "", "party that signs: marketing or sales")
	keyFile := c.Flags().String("key", "", "file that holds the party's key")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		version, err := versionOf(cmd, args[0])
		if err != nil {
			return err
		}
		key, err := partyKey(cmd, *party, *keyFile)
		if err != nil {
			return err
		}
		return client(func(c *call) error { return sign(c, version, *party, key) })(cmd, args)
	}
	return c
}

// partyKey reads the key with which a party signs.
func partyKey(cmd *cobra.Command, party, file string) (ed25519.PrivateKey, error) {
	switch {
	case party != agreement.Marketing && party != agreement.Sales:
		return nil, misused(cmd, "say with --as who signs: marketing or sales")
	case file == "":
		return nil, misused(cmd, "say with --key where the key of %s is, such as %s", party, keyPath(".", party))
	}
	return readKey(file)
}

func sign(c *call, version int64, party string, key ed25519.PrivateKey) error {
	service := agreementv1.NewAgreementServiceClient(c.conn)
	a, err := service.GetAgreement(c.ctx, &agreementv1.GetAgreementRequest{Version: version})
	if err != nil {
		return err
	}
	digest := sha256.Sum256(a.GetDocument())
	if !bytes.Equal(digest[:], a.GetDigest()) {
		return fault.New(fault.Corrupt, "the document of version %d is not the one that its digest names; nothing was signed", version)
	}
	compiled, err := agreement.Restore(a.GetDocument())
	if err != nil {
		return fault.New(fault.Invalid, "this version of Baton does not understand version %d of the agreement; nothing was signed", version)
	}
	public := publicKey(key)
	if !compiled.PartyKey(party).Equal(public) {
		return fault.New(fault.Invalid, "the document names another key for %s than the one given (%s); nothing was signed", party, keyText(public))
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatTable {
		fmt.Fprintf(out, "Signing for %s: version %d, %s\nSHA-256 %x\n", party, version, cell(compiled.Name()), digest)
	}
	a, err = service.Sign(c.ctx, &agreementv1.SignRequest{
		Version: version, Party: party, Digest: digest[:], PublicKey: public, Signature: ed25519.Sign(key, agreement.SignedText(digest[:])),
	})
	if err != nil {
		return err
	}
	if c.format == formatJSON {
		return writeJSON(out, agreementOf(a, false))
	}
	_, err = fmt.Fprintf(out, "Signed. %s\n", standing(a))
	return err
}

// standing says in a sentence how far a version is.
func standing(a *agreementv1.Agreement) string {
	from, until := stamp(a.GetInForceFrom()), stamp(a.GetInForceUntil())
	switch {
	case a.GetInForce() && until != "":
		return "It is in force since " + from + ", until " + until + "."
	case a.GetInForce():
		return "It is in force since " + from + "."
	case a.GetStanding() == agreementv1.Standing_STANDING_PAST && until == from:
		return "Both have signed, but a later version was in force before its time came."
	case a.GetStanding() == agreementv1.Standing_STANDING_PAST:
		return "It was in force from " + from + " until " + until + "."
	case from != "":
		return "Both have signed; it is in force from " + from + "."
	}
	var missing []string
	for _, party := range []string{agreement.Marketing, agreement.Sales} {
		if !signedBy(a, party) {
			missing = append(missing, party)
		}
	}
	return "It is a draft that nothing uses. It waits for the signature of " + strings.Join(missing, " and ") + "."
}

func signedBy(a *agreementv1.Agreement, party string) bool {
	for _, s := range a.GetSignatures() {
		if s.GetParty() == party {
			return true
		}
	}
	return false
}

func agreementShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show [VERSION]",
		Short: "Show one version, or the one in force",
		Long: `Shows how far a version is, who signed it, and its document. Without a version: the
one in force.`,
		Example: `  baton agreement show
  baton agreement show 2
  baton agreement show 2 --format json`,
		Args: between(0, "VERSION"),
		RunE: client(func(c *call) error {
			version, err := c.version()
			if err != nil {
				return err
			}
			a, err := agreementv1.NewAgreementServiceClient(c.conn).GetAgreement(c.ctx, &agreementv1.GetAgreementRequest{Version: version})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeJSON(out, agreementOf(a, true))
			}
			var f facts
			f.add("version", strconv.FormatInt(a.GetVersion(), 10))
			f.add("name", a.GetName())
			f.add("SHA-256", hex.EncodeToString(a.GetDigest()))
			f.add("proposed", stamp(a.GetProposedAt())+" by "+a.GetProposedBy())
			for _, s := range a.GetSignatures() {
				f.add("signed for "+s.GetParty(), stamp(s.GetSignedAt())+" by "+s.GetActor())
			}
			f.add("why", a.GetWhy())
			f.add("standing", standing(a))
			for _, p := range a.GetPriorities() {
				f.add("priority "+p.GetId(), priority(p))
			}
			for _, e := range a.GetExceptions() {
				f.add("exception "+e.GetId(), exception(e))
			}
			f.add("receipts", receipts(a))
			if err := f.write(out); err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "\n%s", plain(string(a.GetDocument())))
			return err
		}),
	}
}

// priority says which department takes precedence, where and how long.
func priority(p *agreementv1.Priority) string {
	out := p.GetLeads() + " takes precedence"
	if p.GetScope() != "" {
		out += " for “" + p.GetScope() + "”"
	}
	return out + span(p.GetFrom(), p.GetUntil()) + ": " + p.GetText()
}

func exception(e *agreementv1.Exception) string {
	out := strings.TrimSuffix(e.GetText(), ".") + span(e.GetFrom(), e.GetUntil())
	if e.GetEndedAt() != nil {
		out += "; it has ended"
	}
	return out
}

// span says from when until when something holds.
func span(from, until *timestamppb.Timestamp) string {
	out := ""
	if from != nil {
		out += " from " + stamp(from)
	}
	if until != nil {
		out += " until " + stamp(until)
	}
	return out
}

func agreementList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all versions, newest first",
		Example: `  baton agreement list
  baton agreement list --format json`,
		Args: exactly(),
		RunE: client(func(c *call) error {
			all, err := listAgreements(c)
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				list := make([]agreementJSON, 0, len(all))
				for _, a := range all {
					list = append(list, agreementOf(a, false))
				}
				return writeJSON(out, map[string]any{"agreements": list})
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(out, noAgreement)
				return err
			}
			t := table{head: []string{"VERSION", "NAME", "PROPOSED", "BY", "SIGNED BY", "IN FORCE FROM", "UNTIL", "NOW"}}
			for _, a := range all {
				var signed []string
				for _, s := range a.GetSignatures() {
					signed = append(signed, s.GetParty())
				}
				now := standingWord(a)
				t.add(strconv.FormatInt(a.GetVersion(), 10), a.GetName(), stamp(a.GetProposedAt()), a.GetProposedBy(), dash(strings.Join(signed, ", ")), dash(stamp(a.GetInForceFrom())), dash(stamp(a.GetInForceUntil())), now)
			}
			return t.write(out)
		}),
	}
}

// listAgreements are all versions without their documents, newest first.
func listAgreements(c *call) ([]*agreementv1.Agreement, error) {
	service := agreementv1.NewAgreementServiceClient(c.conn)
	var all []*agreementv1.Agreement
	for token := ""; ; {
		page, err := service.ListAgreements(c.ctx, &agreementv1.ListAgreementsRequest{PageSize: 500, PageToken: token})
		if err != nil {
			return nil, err
		}
		all = append(all, page.GetAgreements()...)
		if token = page.GetNextPageToken(); token == "" {
			return all, nil
		}
	}
}

// standingWord is how far a version is, in a word or two.
func standingWord(a *agreementv1.Agreement) string {
	switch {
	case a.GetInForce():
		return "in force"
	case a.GetStanding() == agreementv1.Standing_STANDING_AGREED:
		return "agreed"
	case a.GetStanding() == agreementv1.Standing_STANDING_PAST:
		return "past"
	case len(a.GetSignatures()) == 1:
		return "draft, signed by one"
	}
	return "draft"
}

// agreementJSON is a version for machines: digests in hex, the document as text.
type agreementJSON struct {
	Version     int64             `json:"version"`
	Name        string            `json:"name"`
	Digest      string            `json:"digest"`
	ProposedAt  string            `json:"proposed_at"`
	ProposedBy  string            `json:"proposed_by"`
	Signatures  []json.RawMessage `json:"signatures"`
	InForceFrom *string           `json:"in_force_from"`
	InForceTill *string           `json:"in_force_until"`
	InForce     bool              `json:"in_force"`
	Standing    string            `json:"standing"`
	Why         string            `json:"why"`
	Read        []json.RawMessage `json:"read"`
	Unread      []string          `json:"unread"`
	Priorities  []json.RawMessage `json:"priorities"`
	Exceptions  []json.RawMessage `json:"exceptions"`
	Document    *string           `json:"document,omitempty"`
	Notices     []string          `json:"notices,omitempty"`
}

func agreementOf(a *agreementv1.Agreement, document bool) agreementJSON {
	j := agreementJSON{
		Version: a.GetVersion(), Name: a.GetName(), Digest: hex.EncodeToString(a.GetDigest()),
		ProposedAt: stamp(a.GetProposedAt()), ProposedBy: a.GetProposedBy(), Signatures: []json.RawMessage{}, InForce: a.GetInForce(), Notices: a.GetNotices(),
		Standing: strings.ReplaceAll(standingWord(a), "draft, signed by one", "draft"), Why: a.GetWhy(),
		Read: []json.RawMessage{}, Unread: []string{}, Priorities: []json.RawMessage{}, Exceptions: []json.RawMessage{},
	}
	for _, s := range a.GetSignatures() {
		j.Signatures = append(j.Signatures, textsJSON(map[string]string{"party": s.GetParty(), "signed_at": stamp(s.GetSignedAt()), "actor": s.GetActor(), "public_key": keyText(s.GetPublicKey())}))
	}
	if from := stamp(a.GetInForceFrom()); from != "" {
		j.InForceFrom = &from
	}
	if until := stamp(a.GetInForceUntil()); until != "" {
		j.InForceTill = &until
	}
	for _, r := range a.GetReceipts() {
		j.Read = append(j.Read, textsJSON(map[string]string{"member": r.GetMember(), "at": stamp(r.GetAt())}))
	}
	j.Unread = append(j.Unread, a.GetUnread()...)
	for _, p := range a.GetPriorities() {
		j.Priorities = append(j.Priorities, textsJSON(map[string]string{"id": p.GetId(), "leads": p.GetLeads(), "scope": p.GetScope(), "text": p.GetText(), "from": stamp(p.GetFrom()), "until": stamp(p.GetUntil())}))
	}
	for _, e := range a.GetExceptions() {
		j.Exceptions = append(j.Exceptions, textsJSON(map[string]string{"id": e.GetId(), "text": e.GetText(), "from": stamp(e.GetFrom()), "until": stamp(e.GetUntil()), "ended_at": stamp(e.GetEndedAt())}))
	}
	if document {
		text := string(a.GetDocument())
		j.Document = &text
	}
	return j
}

// textsJSON is a map of texts, which always is JSON.
func textsJSON(m map[string]string) json.RawMessage {
	raw, err := json.Marshal(m)
	if err != nil {
		return json.RawMessage("{}")
	}
	return raw
}

// version is the version that a command names; 0 where it names none.
func (c *call) version() (int64, error) {
	if len(c.args) == 0 {
		return 0, nil
	}
	return versionOf(c.cmd, c.args[0])
}

func versionOf(cmd *cobra.Command, text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(text, "v"), 10, 64)
	if err != nil || n < 1 {
		return 0, misused(cmd, "VERSION is %q; it must be a whole number from 1, as baton agreement list shows it", text)
	}
	return n, nil
}

func keyPath(dir, party string) string { return filepath.Join(dir, party+".key") }
