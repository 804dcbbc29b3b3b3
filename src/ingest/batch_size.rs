//! How much one GraphQL request asks for: less where GitLab takes too long or refuses so much. Pure.

/// Requests answered in a row before more is asked for at once.
const ANSWERS_TO_GROW: u32 = 20;

/// See the module.
#[derive(Debug)]
pub(super) struct BatchSize {
    now: usize,
    most: usize,
    answers: u32,
}

impl BatchSize {
    pub(super) fn new(first: usize, most: usize) -> Self {
        Self {
            now: first,
            most,
            answers: 0,
        }
    }

    pub(super) fn now(&self) -> usize {
        self.now
    }

    pub(super) fn answered(&mut self) {
        self.answers += 1;
        if self.answers >= ANSWERS_TO_GROW && self.now < self.most {
            self.answers = 0;
            self.now = (self.now * 2).min(self.most);
        }
    }

    /// Returns whether less can be asked for.
    pub(super) fn halve(&mut self) -> bool {
        self.answers = 0;
        let was = self.now;
        self.now = (was / 2).max(1);
        was > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_at_once_and_grows_slowly() {
        let mut size = BatchSize::new(4, 6);
        assert!(size.halve() && size.halve() && !size.halve());
        assert_eq!(size.now(), 1);
        for wanted in [2, 4, 6, 6] {
            for _ in 0..ANSWERS_TO_GROW {
                size.answered();
            }
            assert_eq!(size.now(), wanted);
        }
    }
}
