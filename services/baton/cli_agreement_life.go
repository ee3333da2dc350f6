package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
)

func agreementKeygen() *cobra.Command {
	c := &cobra.Command{
		Use:   "keygen marketing|sales",
		Short: "Make a key with which one party signs",
		Long: `Makes a key for one party, in a file that its owner alone can read, and shows the
line with its public half to put into the document. Whoever answers for that
department makes it and gives the file to nobody. Nothing that exists already is
overwritten. No running system is needed.

A version that names a new key of a party is signed with the old one.`,
		Example: `  baton agreement keygen marketing
  baton agreement keygen sales --out ~/keys/sales.key`,
		Args: exactly("PARTY"),
	}
	out := c.Flags().String("out", "", "file for the key (default PARTY.key)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := formatOf(cmd)
		if err != nil {
			return err
		}
		party := args[0]
		if party != agreement.Marketing && party != agreement.Sales {
			return misused(cmd, "PARTY is %q; it can be marketing or sales", party)
		}
		path := *out
		if path == "" {
			path = keyPath(".", party)
		}
		if _, err := os.Lstat(path); err == nil {
			return fault.New(fault.State, "%s exists already, and nothing is overwritten; move it away, or choose another place with --out", path)
		}
		public, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			return err
		}
		if err := writeKey(path, key); err != nil {
			return err
		}
		if format == formatJSON {
			return writeJSON(cmd.OutOrStdout(), map[string]any{"party": party, "file": path, "public_key": keyText(public)})
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "Written: %s (mode 0600)\n\nPut this line under parties, %s:\n    public_key: %s\n", path, party, keyText(public))
		return err
	}
	return c
}

// held is an agreement to look at: a file, or a version of the running system.
type held struct {
	compiled *agreement.Agreement
	document []byte
	// version is nil for a file.
	version *agreementv1.Agreement
	// called is what to call it in a sentence.
	called string
}

func (h held) sheet() agreement.Sheet {
	if h.version == nil {
		return agreement.Sheet{}
	}
	return agreement.SheetOf(h.version)
}

// hold finds an agreement: a file of that name, or else that version; without a
// name, the one in force. Only the latter two need a running system.
func hold(cmd *cobra.Command, name string) (held, error) {
	if name != "" {
		if _, err := os.Stat(name); err == nil {
			compiled, document, err := compileFile(cmd, name, formatTable)
			return held{compiled: compiled, document: document, called: name}, err
		}
	}
	var number int64
	if name != "" {
		n, err := strconv.ParseInt(strings.TrimPrefix(name, "v"), 10, 64)
		if err != nil || n < 1 {
			return held{}, fault.New(fault.NotFound, "%s is neither a file that is there nor a version, as baton agreement list shows them", name)
		}
		number = n
	}
	conn, _, err := dial(cmd)
	if err != nil {
		return held{}, err
	}
	defer func() { _ = conn.Close() }()
	version, err := agreementv1.NewAgreementServiceClient(conn).GetAgreement(contextOf(cmd), &agreementv1.GetAgreementRequest{Version: number})
	if err != nil {
		return held{}, err
	}
	compiled, err := agreement.Restore(version.GetDocument())
	if err != nil {
		return held{}, fault.New(fault.Invalid, "this version of Baton does not understand version %d of the agreement", version.GetVersion())
	}
	return held{compiled, version.GetDocument(), version, fmt.Sprintf("version %d", version.GetVersion())}, nil
}

// writeTo writes to a file, or where the command answers.
func writeTo(cmd *cobra.Command, path string, data []byte) error {
	if path == "" {
		_, err := cmd.OutOrStdout().Write(data)
		return err
	}
	if err := os.WriteFile(path, data, 0o644); err != nil { // #nosec G306 -- a document for everybody
		return fault.New(fault.Unavailable, "%s cannot be written: %w", path, err)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "Written: %s\n", path)
	return err
}

func agreementRender() *cobra.Command {
	c := &cobra.Command{
		Use:   "render [FILE|VERSION]",
		Short: "Make the document that people sign, as a page or as text",
		Long: `Makes the document that people read and sign: parties, goals, glossary, who answers
for what, the rules in plain words with the conditions beside them, pools, times,
reasons, and places to sign. It is made of the same object by which the program
decides. --format html makes a page that stands alone and prints on paper, text is
for everything else. Without a name: the version in force. A file needs no running
system.`,
		Example: `  baton agreement render agreement.yaml --format html --out agreement.html
  baton agreement render 2 --format text
  baton agreement render`,
		Args: between(0, "FILE"),
	}
	out := c.Flags().String("out", "", "file for the document (default: shown)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		format := formatText
		if cmd.Flags().Changed("format") {
			var err error
			if format, err = formatOf(cmd, formatHTML, formatText); err != nil {
				return err
			}
		}
		h, err := hold(cmd, strings.Join(args, ""))
		if err != nil {
			return err
		}
		if format == formatText {
			return writeTo(cmd, *out, []byte(plain(h.compiled.Text(h.sheet()))))
		}
		page, err := h.compiled.HTML(h.sheet())
		if err != nil {
			return err
		}
		return writeTo(cmd, *out, page)
	}
	return c
}

const (
	formatHTML = "html"
	formatText = "text"
)

// changeJSON is one change for machines.
type changeJSON struct {
	Part     string   `json:"part"`
	About    string   `json:"about"`
	Kind     string   `json:"kind"`
	Text     string   `json:"text"`
	Before   string   `json:"before"`
	After    string   `json:"after"`
	Concerns []string `json:"concerns"`
}

func changesJSON(list []agreement.Change) []changeJSON {
	out := make([]changeJSON, 0, len(list))
	for _, c := range list {
		concerns := c.Concerns
		if concerns == nil {
			concerns = []string{}
		}
		out = append(out, changeJSON{c.Part, c.About, c.Kind, c.Text, c.Before, c.After, concerns})
	}
	return out
}

// writeChanges lists changes part by part, and whom each concerns.
func writeChanges(w io.Writer, list []agreement.Change) {
	part := ""
	for _, c := range list {
		if c.Part != part {
			part = c.Part
			fmt.Fprintf(w, "\n%s\n", cell(part))
		}
		fmt.Fprintf(w, "  - %s: %s\n", cell(strings.TrimSuffix(c.About, ".")), cell(c.Text))
		if len(c.Concerns) > 0 {
			fmt.Fprintf(w, "      for %s\n", cell(strings.Join(c.Concerns, ", ")))
		}
	}
}

func agreementDiff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff [OLD] NEW",
		Short: "Say in plain words what changes, and for whom",
		Long: `Says what changes from one agreement to another, part by part, and whom it
concerns. Each of the two is a file or a version. Without OLD, NEW is compared with
the version in force and tried on the leads of the last 30 days: how many would stand
elsewhere, and which (baton agreement try says more). What is only a comment or layout
changes nothing that anybody agrees on; it is signed anew even so. Two files need no
running system.`,
		Example: `  baton agreement diff agreement.yaml
  baton agreement diff 1 2
  baton agreement diff 2 agreement.yaml --format json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misused(cmd, "NEW is missing")
			}
			return between(1, "OLD", "NEW")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := formatOf(cmd)
			if err != nil {
				return err
			}
			old := ""
			if len(args) == 2 {
				old = args[0]
			}
			before, err := hold(cmd, old)
			if err != nil {
				return err
			}
			after, err := hold(cmd, args[len(args)-1])
			if err != nil {
				return err
			}
			changes := agreement.Diff(before.compiled, after.compiled)
			out := cmd.OutOrStdout()
			was, is := before.compiled.Digest(), after.compiled.Digest()
			if format == formatJSON {
				return writeJSON(out, map[string]any{
					"old": before.called, "new": after.called, "old_digest": hex.EncodeToString(was[:]), "new_digest": hex.EncodeToString(is[:]), "changes": changesJSON(changes),
				})
			}
			switch {
			case was == is:
				_, err = fmt.Fprintf(out, "%s and %s are the same document.\n", before.called, after.called)
				return err
			case len(changes) == 0:
				_, err = fmt.Fprintf(out, "%s and %s agree on the same; only comments or layout are others.\n", before.called, after.called)
				return err
			}
			fmt.Fprintf(out, "From %s to %s: %s\n", before.called, after.called, counted(int64(len(changes)), "change", "changes"))
			writeChanges(out, changes)
			if old != "" {
				return nil
			}
			// Beside the version in force, the leads say for whom.
			fmt.Fprintln(out)
			return client(func(c *call) error {
				t, err := tryLog(c, &qualificationv1.TryRequest{Document: after.document})
				if err != nil {
					return err
				}
				return writeTrial(c.cmd.OutOrStdout(), t, after.called)
			})(cmd, args)
		},
	}
}

func agreementExport() *cobra.Command {
	c := &cobra.Command{
		Use:   "export VERSION",
		Short: "Store a version away, with its signatures",
		Long: `Writes a version with its document, both signatures and where the log has them, as
one file that baton agreement verify can check anywhere, without this system.`,
		Example: `  baton agreement export 2 --out agreement-2.json
  baton agreement verify agreement-2.json`,
		Args: exactly("VERSION"),
	}
	path := c.Flags().String("out", "", "file to write (default: shown)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		version, err := versionOf(cmd, args[0])
		if err != nil {
			return err
		}
		return client(func(c *call) error {
			all, err := versions(c)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(all, func(a *agreementv1.Agreement) bool { return a.GetVersion() == version })
			if i < 0 {
				return fault.New(fault.NotFound, "there is no version %d of the agreement", version)
			}
			export, err := agreement.NewExport(all[i], all...)
			if err != nil {
				return fault.New(fault.Invalid, "%w", err)
			}
			return writeTo(cmd, *path, export.Bytes())
		})(cmd, args)
	}
	return c
}

// versions are all versions with their documents, newest first.
func versions(c *call) ([]*agreementv1.Agreement, error) {
	service := agreementv1.NewAgreementServiceClient(c.conn)
	list, err := listAgreements(c)
	if err != nil {
		return nil, err
	}
	for i, a := range list {
		if list[i], err = service.GetAgreement(c.ctx, &agreementv1.GetAgreementRequest{Version: a.GetVersion()}); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// maxExport is as much of a file as can be a stored agreement.
const maxExport = 16 << 20

func agreementVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE",
		Short: "Say whether a stored agreement and its signatures are whole",
		Long: `Checks a file of baton agreement export: that the document is the one that was
signed, that both parties signed it with the keys that the agreement names for
them, that it is in force from when it says, and that nothing in the file was
changed. Says in words what is wrong and ends with status 1. No running system is
needed. That who signed, and when, stands in the log at the named places is what
baton verify checks.`,
		Example: `  baton agreement verify agreement-2.json`,
		Args:    exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := formatOf(cmd)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return fault.New(fault.NotFound, "the stored agreement cannot be read: %w", err)
			}
			defer func() { _ = f.Close() }()
			data, err := io.ReadAll(io.LimitReader(f, maxExport))
			if err != nil {
				return fault.New(fault.Unavailable, "the stored agreement cannot be read: %w", err)
			}
			export, wrong := agreement.VerifyExport(data)
			out := cmd.OutOrStdout()
			if format == formatJSON {
				if wrong == nil {
					wrong = []string{}
				}
				if err := writeJSON(out, map[string]any{"file": args[0], "ok": len(wrong) == 0, "version": export.Version, "name": export.Name, "digest": export.Digest, "wrong": wrong}); err != nil {
					return err
				}
			}
			if len(wrong) > 0 {
				if format != formatJSON {
					for _, w := range wrong {
						fmt.Fprintf(out, "  - %s\n", cell(w))
					}
				}
				return fault.New(fault.Invalid, "%s is not whole: %s", args[0], counted(int64(len(wrong)), "thing is wrong", "things are wrong"))
			}
			if format == formatJSON {
				return nil
			}
			fmt.Fprintf(out, "%s is whole: version %d, %s\nSHA-256 %s\n", args[0], export.Version, cell(export.Name), export.Digest)
			for _, s := range export.Signatures {
				fmt.Fprintf(out, "signed for %s on %s, brought by %s (entry %d of the log), with the key that the agreement names\n", s.Party, cell(s.At), cell(s.By), s.Sequence)
			}
			_, err = fmt.Fprintf(out, "in force from %s\n", cell(export.InForceFrom))
			return err
		},
	}
}

func agreementRead() *cobra.Command {
	return &cobra.Command{
		Use:   "read [VERSION]",
		Short: "Say that you have read a version",
		Long: `Records that you have read a version, in your name: the one of the token. Who has
and who has not is shown to both departments. Without a version: the one in force.
To say it again changes nothing.`,
		Example: `  baton agreement read
  baton agreement read 2`,
		Args: between(0, "VERSION"),
		RunE: client(func(c *call) error {
			service := agreementv1.NewAgreementServiceClient(c.conn)
			version, err := c.version()
			if err != nil {
				return err
			}
			if version == 0 {
				a, err := service.GetAgreement(c.ctx, &agreementv1.GetAgreementRequest{})
				if err != nil {
					return err
				}
				version = a.GetVersion()
			}
			a, err := service.RecordRead(c.ctx, &agreementv1.RecordReadRequest{Version: version})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeJSON(c.cmd.OutOrStdout(), agreementOf(a, false))
			}
			_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "Recorded: you have read version %d, %s.\n%s\n", a.GetVersion(), cell(a.GetName()), receipts(a))
			return err
		}),
	}
}

// receipts says who has read a version and who has not.
func receipts(a *agreementv1.Agreement) string {
	var read []string
	for _, r := range a.GetReceipts() {
		read = append(read, r.GetMember())
	}
	out := "Read by " + strings.Join(read, ", ") + "."
	if len(read) == 0 {
		out = "Nobody has said yet that they have read it."
	}
	if len(a.GetUnread()) > 0 {
		out += " Not read by " + strings.Join(a.GetUnread(), ", ") + "."
	}
	return out
}

func agreementGlossary() *cobra.Command {
	return &cobra.Command{
		Use:   "glossary [VERSION]",
		Short: "Say what the agreed words mean",
		Long: `Lists the glossary of a version and what it calls the stages. Without a version: the
one in force. A word means what the version says by which a lead was decided.`,
		Example: `  baton agreement glossary
  baton agreement glossary 1`,
		Args: between(0, "VERSION"),
		RunE: client(func(c *call) error {
			version, err := c.version()
			if err != nil {
				return err
			}
			g, err := agreementv1.NewAgreementServiceClient(c.conn).GetGlossary(c.ctx, &agreementv1.GetGlossaryRequest{Version: version})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, g)
			}
			var f facts
			for _, t := range g.GetTerms() {
				f.add(t.GetName(), t.GetText())
			}
			for _, s := range g.GetStages() {
				f.add("stage "+s.GetStage(), fmt.Sprintf("%s: %s %s answers for it.", s.GetTitle(), s.GetText(), s.GetAccountable()))
			}
			fmt.Fprintf(out, "By version %d of the agreement (SHA-256 %x):\n\n", g.GetVersion(), g.GetDigest())
			return f.write(out)
		}),
	}
}

// pastVersion is one version in the history.
type pastVersion struct {
	agreementJSON
	// Against is the version that it is compared with; 0 = none.
	Against int64        `json:"changes_against"`
	Changes []changeJSON `json:"changes"`
}

func agreementHistory() *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "Say who proposed and signed what, when, why, and what it changed",
		Long: `Lists every version from the first: who proposed it, when and why, who signed it,
from when until when it was in force, and what it changed against the last version
before it that both had signed.`,
		Example: `  baton agreement history
  baton agreement history --format json`,
		Args: exactly(),
		RunE: client(func(c *call) error {
			all, err := versions(c)
			if err != nil {
				return err
			}
			slices.Reverse(all)
			out := c.cmd.OutOrStdout()
			list := make([]pastVersion, 0, len(all))
			// What never counted is no measure, unless there is nothing else.
			var before *agreement.Agreement
			var number int64
			signed := false
			for i, a := range all {
				compiled, err := agreement.Restore(a.GetDocument())
				if err != nil {
					compiled = nil
				}
				var changes []agreement.Change
				if before != nil && compiled != nil {
					changes = agreement.Diff(before, compiled)
				}
				list = append(list, pastVersion{agreementOf(a, false), number, changesJSON(changes)})
				if c.format != formatJSON {
					if i > 0 {
						fmt.Fprintln(out)
					}
					if err := writePast(out, a, changes, number, compiled != nil); err != nil {
						return err
					}
				}
				if counts := a.GetInForceFrom() != nil; compiled != nil && (counts || !signed) {
					before, number, signed = compiled, a.GetVersion(), counts
				}
			}
			if c.format == formatJSON {
				return writeJSON(out, map[string]any{"history": list})
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(out, noAgreement)
				return err
			}
			return nil
		}),
	}
}

const noAgreement = "No agreement has been proposed yet; begin with baton agreement init."

func writePast(out io.Writer, a *agreementv1.Agreement, changes []agreement.Change, against int64, understood bool) error {
	var f facts
	f.add("version", strconv.FormatInt(a.GetVersion(), 10)+", "+a.GetName())
	f.add("proposed", stamp(a.GetProposedAt())+" by "+a.GetProposedBy())
	f.add("why", a.GetWhy())
	for _, s := range a.GetSignatures() {
		f.add("signed for "+s.GetParty(), stamp(s.GetSignedAt())+" by "+s.GetActor())
	}
	f.add("standing", standing(a))
	f.add("SHA-256", hex.EncodeToString(a.GetDigest()))
	if err := f.write(out); err != nil {
		return err
	}
	switch {
	case !understood:
		fmt.Fprintln(out, "This version of Baton does not understand it.")
	case against == 0:
	case len(changes) == 0:
		fmt.Fprintf(out, "\nIt agrees on the same as version %d.\n", against)
	default:
		fmt.Fprintf(out, "\nAgainst version %d:\n", against)
		writeChanges(out, changes)
	}
	return nil
}
