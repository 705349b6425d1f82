/* What one person sees at one place, and what he does there.
 *
 * Rule: nobody waits for news here: a browser has six connections to a server, and the page needs one for that.
 */

import { call, tried } from "./base.js";

export class Follow {
  /** `show` gets each screen of the chosen person; `path`: where the people of the place are found. */
  constructor(path, show) {
    this.path = path;
    this.show = show;
  }

  select(person) {
    this.person = person;
    this.refresh();
  }

  /** Looks anew; what comes while it looks is looked for once more. */
  async refresh() {
    this.again = true;
    if (this.looking || !this.person) return;
    this.looking = true;
    while (this.again) {
      this.again = false;
      const { person } = this;
      const screen = await call("GET", `${this.path}/${person.phone}`).catch(() => null);
      if (screen && person === this.person) {
        this.show(screen);
        this.seen?.();
      }
    }
    this.looking = false;
  }

  act(action) {
    return tried(() => call("POST", `${this.path}/${this.person.phone}`, action));
  }

  /** `facts`: name, text, room. */
  upload(file, facts) {
    const given = Object.entries(facts).filter(([, value]) => value);
    const body = new Blob([file], { type: file.type || "application/octet-stream" });
    return tried(() => call("POST", `${this.path}/${this.person.phone}/files?${new URLSearchParams(given)}`, body));
  }
}

export const peopleOf = (place) => `/sandbox/api/places/${place}/people`;
