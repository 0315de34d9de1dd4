#pragma once

// A mutex for sections of a few dozen instructions: who finds it taken looks again for a moment
// before it sleeps, because going to sleep and being woken costs a hundred times the wait.

#include <pthread.h>

namespace microlith::internal {

class brief_mutex {
 public:
  brief_mutex() = default;
  ~brief_mutex() { pthread_mutex_destroy(&mutex_); }
  brief_mutex(const brief_mutex&) = delete;
  brief_mutex& operator=(const brief_mutex&) = delete;

  // An adaptive mutex that its own thread does not lock twice cannot fail.
  void lock() { pthread_mutex_lock(&mutex_); }
  void unlock() { pthread_mutex_unlock(&mutex_); }

 private:
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
  pthread_mutex_t mutex_ = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
#else
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
#endif
};

}  // namespace microlith::internal
