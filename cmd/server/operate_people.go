package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"visavis.example/internal/server/admin"
)

// passwordFlag lets a password come from a file. It is never an argument: other users of the machine can read those.
func (c *command) passwordFlag() *string {
	return c.flags.String("password-file", "", "`FILE` whose first line is the password, /dev/stdin for instance; default: one is made and shown")
}

// password reads it, or makes one.
func password(file string) (p string, made bool, err error) {
	if file == "" {
		t := strings.ToLower(rand.Text())
		return t[:5] + "-" + t[5:10] + "-" + t[10:15] + "-" + t[15:20], true, nil // 100 random bits
	}
	f, err := os.Open(file)
	if err != nil {
		return "", false, fmt.Errorf("password: %w", err)
	}
	defer func() { _ = f.Close() }()
	line, err := bufio.NewReader(io.LimitReader(f, maxPasswordLine)).ReadString('\n')
	switch {
	case len(line) == maxPasswordLine:
		return "", false, fmt.Errorf("password: the first line of %s is longer than any password", file)
	case !utf8.ValidString(line):
		return "", false, fmt.Errorf("password: %s is not a text file", file)
	}
	if p = strings.TrimRight(line, "\r\n"); p == "" {
		return "", false, fmt.Errorf("password: %s begins with an empty line (%w)", file, errors.Join(err, errEmpty))
	}
	return p, false, nil
}

// maxPasswordLine is far beyond the longest password: a file without lines, or a device without end, is not read to its end.
const maxPasswordLine = 4 << 10

var errEmpty = errors.New("nothing to take")

func userAdd(ctx context.Context, c *command, args []string) error {
	return c.setPassword(ctx, args, admin.UserAdd, "%s has an account.\n")
}

func userPasswd(ctx context.Context, c *command, args []string) error {
	return c.setPassword(ctx, args, admin.UserPasswd, "%s has another password and is signed out everywhere.\n")
}

// setPassword asks for something that gives a person a password, and says what was done.
func (c *command) setPassword(ctx context.Context, args []string, what, done string) error {
	file := c.passwordFlag()
	if err := c.parse(args, "NAME"); err != nil {
		return err
	}
	p, made, err := password(*file)
	if err != nil {
		return err
	}
	if _, err := c.ask(ctx, admin.Request{Command: what, Name: c.words[0], Password: p}); err != nil {
		return err
	}
	fmt.Fprintf(c.out, done, c.words[0])
	if made {
		fmt.Fprintf(c.out, "password: %s\nIt is shown only now. It can be changed in the settings of the app.\n", p)
	}
	return nil
}

func userList(ctx context.Context, c *command, args []string) error {
	r, err := c.askForList(ctx, args, admin.UserList)
	if err != nil {
		return err
	}
	return list(c, r.Users, "Nobody has an account.", "NAME\tSTATE\tSIGNED IN\tLAST SEEN\tSINCE\tID", func(u admin.User) string {
		state := "offline"
		switch {
		case u.Disabled:
			state = "disabled"
		case u.Online:
			state = "online"
		}
		return fmt.Sprintf("%s\t%s\t%d\t%s\t%s\t%s", u.Name, state, u.Sessions, day(u.Used), day(u.Created), u.ID)
	})
}

// askForList is the beginning of a command that lists, and takes nothing but --json.
func (c *command) askForList(ctx context.Context, args []string, what string) (admin.Reply, error) {
	c.flags.BoolVar(&c.asJSON, "json", false, "as JSON, for programs")
	if err := c.parse(args); err != nil {
		return admin.Reply{}, err
	}
	return c.ask(ctx, admin.Request{Command: what})
}

// list prints a table, or JSON for programs; none says that there is nothing.
func list[T any](c *command, all []T, none, head string, row func(T) string) error {
	switch {
	case c.asJSON:
		return c.writeJSON(append([]T{}, all...)) // never null
	case len(all) == 0:
		fmt.Fprintln(c.out, none)
		return nil
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	for _, x := range all {
		fmt.Fprintln(t, row(x))
	}
	return t.Flush()
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02")
}

func userDisable(ctx context.Context, c *command, args []string) error {
	return c.simple(ctx, args, admin.UserDisable, "is signed out everywhere and cannot sign in until enabled again.")
}

func userEnable(ctx context.Context, c *command, args []string) error {
	return c.simple(ctx, args, admin.UserEnable, "can sign in again.")
}

// simple is a command that takes a name and nothing else.
func (c *command) simple(ctx context.Context, args []string, what, says string) error {
	if err := c.parse(args, "NAME"); err != nil {
		return err
	}
	if _, err := c.ask(ctx, admin.Request{Command: what, Name: c.words[0]}); err != nil {
		return err
	}
	fmt.Fprintln(c.out, c.words[0], says)
	return nil
}

func userDelete(ctx context.Context, c *command, args []string) error {
	lines := c.flags.Bool("lines", false, "also every line of chat that the person wrote, which others would keep")
	yes := c.flags.Bool("yes", false, "really: it cannot be taken back")
	if err := c.parse(args, "NAME"); err != nil {
		return err
	}
	if !*yes {
		return fmt.Errorf("deleting %s cannot be taken back. Give --yes to do it; \"visavis-server export\" first keeps a copy, "+
			"\"visavis-server user disable\" only keeps the person out", c.words[0])
	}
	if _, err := c.ask(ctx, admin.Request{Command: admin.UserDelete, Name: c.words[0], Lines: *lines}); err != nil {
		return err
	}
	fmt.Fprintln(c.out, c.words[0], "is deleted. What others keep of their calls and chats says \"Deleted account\".")
	return nil
}

func inviteCreate(ctx context.Context, c *command, args []string) error {
	var n admin.NewInvite
	c.flags.IntVar(&n.Uses, "uses", admin.DefaultInviteUses, "how many `ACCOUNTS` it makes")
	c.flags.IntVar(&n.Days, "days", admin.DefaultInviteDays, "for how many `DAYS` it is good")
	site := c.flags.String("site", "", "`https://HOST[:PORT]` by which people reach the server; default: what the running server knows")
	if err := c.parse(args); err != nil {
		return err
	}
	if n.Uses < 1 || n.Days < 1 {
		return errors.New("--uses and --days are 1 or more")
	}
	r, err := c.ask(ctx, admin.Request{Command: admin.InviteCreate, Invite: n})
	if err != nil {
		return err
	}
	link := r.Invite.URL
	switch {
	case *site != "":
		link = admin.URL(strings.TrimRight(*site, "/"), r.Invite.Invite)
	case link == "":
		link = admin.URL("https://YOUR-SERVER", r.Invite.Invite)
	}
	fmt.Fprintln(c.out, link)
	accounts := "one account"
	if r.Invite.Uses > 1 {
		accounts = fmt.Sprint(r.Invite.Uses, " accounts")
	}
	fmt.Fprintf(c.out, "for %s, until %s; id %s\n", accounts, minute(r.Invite.Expires), r.Invite.ID)
	return nil
}

func inviteList(ctx context.Context, c *command, args []string) error {
	r, err := c.askForList(ctx, args, admin.InviteList)
	if err != nil {
		return err
	}
	return list(c, r.Invites, "There are no invites.", "ID\tBY\tUSED\tEXPIRES\tWHO CAME", func(v admin.Invite) string {
		until := minute(v.Expires)
		if v.Expires.Before(time.Now()) {
			until = "over"
		}
		return fmt.Sprintf("%s\t%s\t%d of %d\t%s\t%s", v.ID, cmp.Or(v.By, "(operator)"), v.Used, v.Uses, until, strings.Join(v.UsedBy, ", "))
	})
}

func minute(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

func inviteRevoke(ctx context.Context, c *command, args []string) error {
	if err := c.parse(args, "ID"); err != nil {
		return err
	}
	if _, err := c.ask(ctx, admin.Request{Command: admin.InviteRevoke, ID: c.words[0]}); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "The invite is good for nobody any more.")
	return nil
}
