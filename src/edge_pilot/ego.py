"""Where the car is and how it moves: an extended Kalman filter over IMU, odometry and GPS.

The model is constant turn rate and velocity (CTRV), driven by the forward acceleration and the
yaw rate of the IMU while there is one. State: place, heading, speed, yaw rate, the biases of
accelerometer and gyroscope, and the slow error of the GPS receiver, which makes its fixes far
better against one another than against the Earth.

Without odometry and GPS the speed comes from the IMU alone: it is integrated, held at zero while
the car stands, and corrected in every bend, where the lateral acceleration of the rear axle is
speed times yaw rate.
"""

from __future__ import annotations

import math

import numpy as np

from edge_pilot.types import NANOSECONDS, EgoState, Floats, Imu

X, Y, HEADING, SPEED, RATE, BIAS, DRIFT, EAST, NORTH = range(9)
START_STD = (0.0, 0.0, 0.0, 0.22, 0.02, 0.22, 0.02, 0.0, 0.0)  # of a car that stands

ACCELERATION_STD = 0.3  # m/s^2, noise and road that the model does not know
BIAS_WALK = 0.01  # m/s^2 per sqrt(s)
SLOPE_WALK = 0.06  # m/s^2 per sqrt(m): a slope adds to the bias; 6 % more within 100 m
DRIFT_WALK = 1e-4  # rad/s per sqrt(s)
HEADING_WALK = 1e-3  # rad per sqrt(s), the angle random walk of a plain MEMS gyroscope
SLIP_WALK = 0.05  # m per sqrt(s), what wheels slip
FREE_ACCELERATION = 1.5  # m/s^2 per sqrt(Hz), what a driver does while no IMU tells
FREE_RADPS, FREE_1PM = 0.5, 0.5  # how a car turns then: no faster, no tighter than this
FREE_TURN_S = 5.0  # how long it does
LATERAL_STD = 0.5  # m/s^2, roll and road camber
STANDSTILL_S = 1.0  # an IMU this quiet for this long, at a low speed, is a car that stands
QUIET_MPS2 = 0.15
QUIET_RADPS = 0.02
QUIET_MPS = 2.0  # no lower, since without odometry the speed is off by this much after a while
MAX_SLOPE_MPS2 = 0.25  # a bias that is less known than this is no excuse for moving
SMOOTHING_S = 0.2  # noise of single samples is not what matters for that
MAX_GAP_S = 0.5  # a longer silence of the IMU is not integrated over
MAX_REACH_S = 10.0  # no motion is foreseen for longer than this
MAX_MPS2, MAX_RADPS, MAX_MPS = 100.0, 20.0, 150.0  # a sensor that says more is broken

GPS_MEMORY_S = 100.0  # correlation time of its slow part: atmosphere, orbits, multipath
GPS_JITTER = 0.3  # assumed: the part of a fix's deviation that is new with each fix
GPS_SPEED_STD_MPS = 0.1  # 0.05 in steady motion (u-blox M8 data sheet), doubled among houses
GPS_DELAY_S = 0.2  # assumed: how old a receiver's speed can be
GPS_COURSE_STD_RAD = 0.01  # 0.3 degrees (the same), and the mounting of the IMU
COURSE_MPS = 3.0  # a slower receiver knows no course
GATE = 13.8  # chi-square of 2 degrees of freedom, exceeded once in 1000
MAX_REJECTED = 5  # fixes in a row; then it is the filter that is lost
LOST_RAD = 0.5  # what its heading may be wrong by then
ALIGN_SIGMAS = 5.0  # a way this much longer than its error shows the heading
ALIGN_WITHIN_S = 20.0
EARTH_M, FLATTENING = 6378137.0, 1 / 298.257223563  # WGS 84


class EgoFilter:
    """Fed with sensor values in the order of their stamps.

    What comes late is ignored, and so is what no car can do. An inertial sample that is older by
    more than MAX_GAP_S means that the clock was set back: everything begins anew. The same holds
    for speeds and fixes while there is no IMU.

    The frame is where the car began, x along its first heading. Once fixes have shown the
    heading, it is the first fix, x to the east; `state().is_georeferenced` says which.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._x = np.zeros(9)
        self._p = np.diag(np.square(START_STD))
        self._stamp_ns: int | None = None
        self._imu_ns: int | None = None
        self._force = self._gyro = self._quiet_s = 0.0
        self._calm = 0.0, 0.0  # forward acceleration and yaw rate, smoothed
        self._knows_speed = False
        self._origin: tuple[float, float] | None = None  # latitude and longitude in rad
        self._anchor: tuple[int, Floats, Floats] | None = None  # stamp, fix, place by reckoning
        self._is_aligned = False
        self._fix_std_m = 0.0
        self._rejected_in_row = 0
        self.fixes_rejected = 0

    def state(self) -> EgoState:
        """Give the newest estimate."""
        std = [math.sqrt(max(variance, 0.0)) for variance in self._p.diagonal().tolist()]
        x = self._x.tolist()
        is_lost = self._origin is not None and not self._is_aligned
        return EgoState(
            stamp_ns=self._stamp_ns or 0,
            speed_mps=max(0.0, x[SPEED]),
            yaw_rate_radps=x[RATE],
            speed_std_mps=std[SPEED],
            x_m=x[X],
            y_m=x[Y],
            heading_rad=_wrap(x[HEADING]),
            position_std_m=max(std[X], std[Y]),
            heading_std_rad=math.pi if is_lost else min(std[HEADING], math.pi),
            yaw_rate_std_radps=std[RATE],
            is_georeferenced=self._is_aligned,
        )

    def age_s(self, now_ns: int) -> float:
        """Give the time since the newest inertial sample, infinite before the first."""
        return math.inf if self._imu_ns is None else (now_ns - self._imu_ns) / NANOSECONDS

    def add_imu(self, imu: Imu) -> None:
        """Take one inertial sample in `base_link` axes."""
        if self.age_s(imu.stamp_ns) < -MAX_GAP_S:
            self._begin()
        if not _is_plausible(imu) or self.age_s(imu.stamp_ns) < 0.0:
            return
        elapsed = min(self.age_s(imu.stamp_ns), MAX_GAP_S)
        if self._stamp_ns is not None and self._stamp_ns - imu.stamp_ns > MAX_GAP_S * NANOSECONDS:
            self._stamp_ns = self._imu_ns or imu.stamp_ns  # another sensor's clock runs ahead
        self._force, ay, _ = imu.acceleration_mps2
        self._predict(imu.stamp_ns, drives=elapsed < MAX_GAP_S)
        self._imu_ns = imu.stamp_ns
        self._take_rate(imu.angular_velocity_radps[2])
        self._find_standstill(elapsed if elapsed < MAX_GAP_S else 0.0)
        rate = float(self._x[RATE])
        if abs(rate) > 0.1:
            self._correct(SPEED, ay - rate * self._x[SPEED], LATERAL_STD, seen_as=rate)

    def add_speed(self, stamp_ns: int, speed_mps: float, std_mps: float = 0.1) -> None:
        """Take a measured speed, as of wheel odometry."""
        is_plausible = abs(speed_mps) <= MAX_MPS and 0.0 < std_mps < math.inf  # no NaN passes
        if is_plausible and self._is_in_time(stamp_ns):
            self._predict(stamp_ns, drives=self._is_driven(stamp_ns))
            self._take_speed(speed_mps, std_mps)

    def add_fix(
        self,
        stamp_ns: int,
        latitude_deg: float,
        longitude_deg: float,
        std_m: float,
        speed_mps: float | None = None,
        course_rad: float | None = None,
    ) -> None:
        """Take a GPS fix and, where the receiver says them, its speed and its course.

        `std_m` is the deviation along each axis; the course counts from east, positive left.
        """
        is_plausible = abs(latitude_deg) <= 89.9 and abs(longitude_deg) <= 180.0
        if not (is_plausible and 0.0 < std_m < math.inf and self._is_in_time(stamp_ns)):
            return
        self._predict(stamp_ns, drives=self._is_driven(stamp_ns))
        self._fix_std_m = std_m
        place = self._local(latitude_deg, longitude_deg)
        is_believed = self._take_place(stamp_ns, place, std_m)
        if is_believed and speed_mps is not None and 0.0 <= speed_mps <= MAX_MPS:
            std_mps = math.hypot(GPS_SPEED_STD_MPS, GPS_DELAY_S * (self._force - self._x[BIAS]))
            self._take_speed(math.copysign(speed_mps, self._x[SPEED] + 0.5), std_mps)
            if course_rad is not None and speed_mps > COURSE_MPS and math.isfinite(course_rad):
                self._take_course(course_rad, place, std_m)

    def _is_in_time(self, stamp_ns: int) -> bool:
        """Say whether a speed or a fix counts; one that sets the clock back begins anew."""
        if self._stamp_ns is None or stamp_ns >= self._stamp_ns - MAX_GAP_S * NANOSECONDS:
            return True
        if not self._is_driven(self._stamp_ns):
            self._begin()
            return True
        return False

    def _is_driven(self, stamp_ns: int) -> bool:
        return self.age_s(stamp_ns) <= MAX_GAP_S

    def _predict(self, stamp_ns: int, drives: bool) -> None:
        """Go on to the stamp; `drives` says whether the IMU tells the acceleration."""
        last_ns, self._stamp_ns = self._stamp_ns, max(stamp_ns, self._stamp_ns or stamp_ns)
        dt = 0.0 if last_ns is None else (self._stamp_ns - last_ns) / NANOSECONDS
        if dt <= 0.0:
            return
        dt = min(dt, MAX_REACH_S)
        # Numbers of Python: for nine of them each call of NumPy costs more than what it does.
        x = self._x.tolist()
        heading, speed, rate = x[HEADING], x[SPEED], x[RATE]
        half = 0.5 * rate * dt
        way = speed * dt * (math.sin(half) / half if abs(half) > 1e-6 else 1.0)
        cos, sin = math.cos(heading + half), math.sin(heading + half)
        step = UNIT.copy()
        step[X, HEADING : RATE + 1] = -way * sin, dt * cos, -0.5 * dt * way * sin
        step[Y, HEADING : RATE + 1] = way * cos, dt * sin, 0.5 * dt * way * cos
        step[HEADING, RATE] = dt
        memory = math.exp(-dt / GPS_MEMORY_S)
        step[EAST, EAST] = step[NORTH, NORTH] = memory
        x[EAST] *= memory
        x[NORTH] *= memory
        x[X] += way * cos
        x[Y] += way * sin
        x[HEADING] += rate * dt
        if not drives:
            step[RATE, RATE] = free = math.exp(-dt / FREE_TURN_S)
            x[RATE] *= free
        else:
            x[SPEED] += (self._force - x[BIAS]) * dt
            step[SPEED, BIAS] = -dt
        self._x = np.array(x)
        self._p = step @ self._p @ step.T
        self._p.flat[::10] += _noise(dt, speed, drives, self._fix_std_m)

    def _take_rate(self, gyro: float) -> None:
        """Let the gyroscope say the yaw rate; its noise is in the heading's walk."""
        self._gyro = gyro
        self._x[RATE] = gyro - self._x[DRIFT]
        self._p[RATE] = -self._p[DRIFT]
        self._p[:, RATE] = -self._p[:, DRIFT]
        self._p[RATE, RATE] = self._p[DRIFT, DRIFT]

    def _find_standstill(self, dt: float) -> None:
        share = min(1.0, dt / SMOOTHING_S)
        force, gyro = self._calm
        force += share * (self._force - force)
        gyro += share * (self._gyro - gyro)
        self._calm = force, gyro
        x, variance = self._x.tolist(), self._p.diagonal().tolist()
        bias_std = min(math.sqrt(variance[BIAS]), MAX_SLOPE_MPS2)  # a slope is in it too
        drift_std = math.sqrt(variance[DRIFT])
        is_quiet = (
            x[SPEED] < QUIET_MPS
            and abs(force - x[BIAS]) < QUIET_MPS2 + bias_std
            and abs(gyro - x[DRIFT]) < QUIET_RADPS + drift_std
        )
        self._quiet_s = self._quiet_s + dt if is_quiet else 0.0
        if self._quiet_s > STANDSTILL_S:
            self._correct(SPEED, -self._x[SPEED], 0.02)
            self._correct(BIAS, self._force - self._x[BIAS], QUIET_MPS2)
            self._correct(DRIFT, self._gyro - self._x[DRIFT], QUIET_RADPS)

    def _take_speed(self, speed_mps: float, std_mps: float) -> None:
        surprise = speed_mps - self._x[SPEED]
        if not self._knows_speed:
            self._p[SPEED, SPEED] += surprise**2  # the filter began in a moving car
        self._knows_speed = True
        self._correct(SPEED, surprise, std_mps)

    def _take_course(self, course: float, place: Floats, std_m: float) -> None:
        if self._x[SPEED] < 0.0:
            course += math.pi
        if not self._is_aligned:
            self._align(course, GPS_COURSE_STD_RAD, place, std_m)
            return
        surprise = _wrap(course - self._x[HEADING])
        variance = self._p[HEADING, HEADING] + GPS_COURSE_STD_RAD**2
        if surprise**2 <= GATE * variance:
            self._correct(HEADING, surprise, GPS_COURSE_STD_RAD)

    def _take_place(self, stamp_ns: int, place: Floats, std_m: float) -> bool:
        """Use a fix at (east, north); False: it is not believed."""
        if not self._is_aligned:
            self._find_heading(stamp_ns, place, std_m)
            return True
        delay = (self._stamp_ns or stamp_ns) - stamp_ns
        back = self._x[SPEED] * delay / NANOSECONDS
        heading = self._x[HEADING]
        expected = self._x[:2] - back * np.array([math.cos(heading), math.sin(heading)])
        surprise = place - expected - self._x[[EAST, NORTH]]
        spread = SEES @ self._p @ SEES.T + (GPS_JITTER * std_m) ** 2 * np.eye(2)
        if surprise @ np.linalg.solve(spread, surprise) > GATE:
            return self._reject(place, std_m)
        self._rejected_in_row = 0
        gain = np.linalg.solve(spread, SEES @ self._p).T
        self._x = self._x + gain @ surprise
        self._p = self._p - gain @ spread @ gain.T
        return True

    def _reject(self, place: Floats, std_m: float) -> bool:
        """Count an outlier; after many in a row the place is where they say."""
        self.fixes_rejected += 1
        self._rejected_in_row += 1
        if self._rejected_in_row >= MAX_REJECTED:
            self._put(place, std_m)
            self._p[HEADING, HEADING] += LOST_RAD**2
            self._rejected_in_row = 0
        return False

    def _find_heading(self, stamp_ns: int, place: Floats, std_m: float) -> None:
        """Compare the way between two fixes with the way reckoned between them."""
        reckoned = self._x[:2].copy()
        age = (stamp_ns - self._anchor[0]) / NANOSECONDS if self._anchor else math.inf
        if self._anchor is None or not 0.0 <= age <= ALIGN_WITHIN_S:
            self._anchor = stamp_ns, place, reckoned
            return
        way, own = place - self._anchor[1], reckoned - self._anchor[2]
        error = std_m * math.sqrt(2.0 * GPS_JITTER**2 + 2.0 * age / GPS_MEMORY_S)
        distance, length = math.hypot(*way), math.hypot(*own)
        if not ALIGN_SIGMAS * error <= distance <= MAX_MPS * age or age == 0.0:
            return
        course = math.atan2(way[1], way[0])
        if not self._knows_speed:
            self._take_speed(distance / age, 0.3 * distance / age)
            self._align(course, error / distance, place, std_m)
        elif 0.5 < length / distance < 2.0:
            turned = course - math.atan2(own[1], own[0])
            self._align(self._x[HEADING] + turned, error / distance, place, std_m)

    def _align(self, heading: float, std_rad: float, place: Floats, std_m: float) -> None:
        self._forget(HEADING, heading, std_rad)
        self._put(place, std_m)
        self._is_aligned = True

    def _put(self, place: Floats, std_m: float) -> None:
        """Set the place to a fix, whose slow error is the place's from now on."""
        for axis, error, value in zip((X, Y), (EAST, NORTH), place.tolist(), strict=True):
            self._forget(axis, value, math.hypot(1.0, GPS_JITTER) * std_m)
            self._forget(error, 0.0, std_m)
            self._p[axis, error] = self._p[error, axis] = -(std_m**2)

    def _forget(self, index: int, value: float, std: float) -> None:
        self._x[index] = value
        self._p[index] = self._p[:, index] = 0.0
        self._p[index, index] = std**2

    def _local(self, latitude_deg: float, longitude_deg: float) -> Floats:
        """Give (east, north) of the first fix in m, by the radii of the ellipsoid there."""
        here = math.radians(latitude_deg), math.radians(longitude_deg)
        self._origin = self._origin or here
        e2 = FLATTENING * (2.0 - FLATTENING)
        root = math.sqrt(1.0 - e2 * math.sin(self._origin[0]) ** 2)
        east = EARTH_M / root * math.cos(self._origin[0]) * _wrap(here[1] - self._origin[1])
        return np.array([east, EARTH_M * (1.0 - e2) / root**3 * (here[0] - self._origin[0])])

    def _correct(self, index: int, surprise: float, std: float, seen_as: float = 1.0) -> None:
        """Learn from a measurement of one state, which sees it times `seen_as`."""
        seen = self._p[:, index] * seen_as
        gain = seen / (float(seen[index]) * seen_as + std**2)
        self._x = self._x + gain * surprise
        self._p = self._p - gain[:, None] * seen


UNIT = np.eye(9)
SEES = UNIT[[X, Y]] + UNIT[[EAST, NORTH]]  # (2, 9) what a fix sees: the place and its own error


def _noise(dt: float, speed: float, drives: bool, fix_std_m: float) -> Floats:
    """Give the variance that each state gains in `dt` [s]."""
    slip = SLIP_WALK**2 * dt * (abs(speed) > 0.1)
    free = min(FREE_RADPS, FREE_1PM * abs(speed)) ** 2  # who stands does not turn
    receiver = 2.0 * fix_std_m**2 / GPS_MEMORY_S * dt
    return np.array(
        [
            slip,
            slip,
            HEADING_WALK**2 * dt,
            (ACCELERATION_STD * dt) ** 2 if drives else FREE_ACCELERATION**2 * dt,
            0.0 if drives else free * (1.0 - math.exp(-2.0 * dt / FREE_TURN_S)),
            (BIAS_WALK**2 + SLOPE_WALK**2 * abs(speed)) * dt,
            DRIFT_WALK**2 * dt,
            receiver,
            receiver,
        ]
    )  # in the order of the state


def _wrap(angle: float) -> float:
    return math.remainder(angle, 2.0 * math.pi)


def _is_plausible(imu: Imu) -> bool:
    force, rotation = imu.acceleration_mps2, imu.angular_velocity_radps
    limits = (MAX_MPS2,) * 3 + (MAX_RADPS,) * 3
    pairs = zip((*force, *rotation), limits, strict=True)
    return all(abs(value) <= limit for value, limit in pairs)  # no NaN passes
